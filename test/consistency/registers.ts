import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise'
import type { Random } from '../fuzz/random.js'
import type { Level, Read, Recorder, Write } from './history.js'

/** The statements on registers, as text or prepared, each timed. */

export interface Registers {
  readonly connection: Connection
  readonly recorder: Recorder
  readonly random: Random
  /** With its schema. */
  readonly table: string
  readonly session: number
}

/** A write without its end, which in a transaction is the COMMIT's. */
export type BegunWrite = Omit<Write, 'end' | 'acknowledged'>

/** A hint in front of a statement. */
export function hint(text: string | null): string {
  return text === null ? '' : `/* sluice: ${text} */ `
}

/** @param ownVersion of a register that nobody else writes; null: one more than it has */
export async function update(
  { connection, recorder, random, table, session }: Registers,
  register: number,
  ownVersion: number | null,
  token: string | null,
): Promise<BegunWrite> {
  const value = ownVersion === null ? 'LAST_INSERT_ID(v + 1)' : `GREATEST(v, ${ownVersion})`
  const sql = `${hint(causal(token))}UPDATE ${table} SET v = ${value} WHERE id = `
  const begin = recorder.now()
  const [header] = random.once(3)
    ? await connection.execute<ResultSetHeader>(`${sql}?`, [register])
    : await connection.query<ResultSetHeader>(`${sql}${register}`)
  return { kind: 'write', session, token, begin, register, version: ownVersion ?? header.insertId }
}

export interface ReadOptions {
  readonly token?: string | null
  readonly level?: Level
  /** When the transaction's snapshot was made. */
  readonly begin?: number
  /** Registers that the transaction has written. */
  readonly without?: ReadonlySet<number>
}

export async function readRegisters(
  { connection, recorder, random, table, session }: Registers,
  registers: readonly number[],
  { token = null, level = 'session', begin = recorder.now(), without = new Set() }: ReadOptions = {},
): Promise<Read> {
  const comment = hint(level === 'session' ? causal(token) : `consistency=${level}`)
  const sql = `${comment}SELECT @@port AS port, id, v FROM ${table} WHERE id IN (`
  const [rows] = random.once(3)
    ? await connection.execute<RowDataPacket[]>(`${sql}${registers.map(() => '?').join(', ')})`, [...registers])
    : await connection.query<RowDataPacket[]>(`${sql}${registers.join(', ')})`)
  const end = recorder.now()
  const versions = new Map(rows.map((row) => [Number(row['id']), Number(row['v'])]))
  const values = registers.filter((id) => !without.has(id)).map((id) => [id, versions.get(id) ?? -1] as const)
  return { kind: 'read', session, token, begin, end, level, values, server: Number(rows[0]?.['port'] ?? 0) }
}

export function causal(token: string | null): string | null {
  return token === null ? null : `causal=${token}`
}
