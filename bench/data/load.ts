import { createConnection } from 'mysql2/promise'
import type { Address, Credentials } from '../load/connection.js'
import { insertStatements, SCHEMA, TABLES, type TableName } from './tables.js'

/**
 * Makes the schema and its tables anew: earlier runs with writes have changed them, and every run should meet the same.
 * The account needs CREATE, DROP and INSERT on the schema.
 */
export async function loadTables(
  address: Address,
  { user, password }: Credentials,
  names: readonly TableName[],
  rows: number,
): Promise<void> {
  const connection = await createConnection({ host: address.host, port: address.port, user, password })
  try {
    await connection.query(`CREATE DATABASE IF NOT EXISTS ${SCHEMA}`)
    await connection.query(`USE ${SCHEMA}`)
    for (const name of names) {
      const table = TABLES[name]
      await connection.query(`DROP TABLE IF EXISTS ${name}`)
      await connection.query(`CREATE TABLE ${name} (${table.definition}) ENGINE=InnoDB`)
      for (const statement of insertStatements(table, rows)) await connection.query(statement)
      await connection.query(`ANALYZE TABLE ${name}`)
    }
  } finally {
    await connection.end()
  }
}
