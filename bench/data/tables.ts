import { Random } from '../stats/random.js'

/** The tables of the bench, with the same content every time. */

export const SCHEMA = 'bench'

export type TableName = 'sbtest1' | 'customers' | 'orders'

export interface Table {
  readonly name: TableName
  readonly definition: string
  readonly columns: readonly string[]
  /** Rows for a data set of this size. */
  size(rows: number): number
  /** Values of the row with this id, ready for a VALUES list. */
  values(id: number, rows: number, random: Random): string
}

const ORDERS_PER_CUSTOMER = 10

const sbtest1: Table = {
  name: 'sbtest1',
  definition: `id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, k INT NOT NULL DEFAULT 0,
    c CHAR(120) NOT NULL DEFAULT '', pad CHAR(60) NOT NULL DEFAULT '', KEY k_1 (k)`,
  columns: ['id', 'k', 'c', 'pad'],
  size: (rows) => rows,
  values: (id, rows, random) =>
    `${id}, ${random.between(1, rows)}, '${random.digitGroups(10)}', '${random.digitGroups(5)}'`,
}

const customers: Table = {
  name: 'customers',
  definition: `id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(100) NOT NULL, email VARCHAR(100) NOT NULL,
    city VARCHAR(50) NOT NULL`,
  columns: ['id', 'name', 'email', 'city'],
  size: (rows) => rows,
  values: (id, _rows, random) => `${id}, 'Customer ${id}', 'customer${id}@example.com', 'City ${random.below(500)}'`,
}

const orders: Table = {
  name: 'orders',
  definition: `id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL, amount DECIMAL(10,2) NOT NULL,
    status VARCHAR(20) NOT NULL, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, KEY customer (customer_id)`,
  columns: ['id', 'customer_id', 'amount', 'status'],
  size: (rows) => rows * ORDERS_PER_CUSTOMER,
  values: (id, rows, random) => `${id}, ${random.between(1, rows)}, ${random.between(100, 99_999) / 100}, 'paid'`,
}

export const TABLES: Readonly<Record<TableName, Table>> = { sbtest1, customers, orders }

/** INSERT statements that fill a table, `batch` rows each. */
export function* insertStatements(table: Table, rows: number, batch = 1_000): Generator<string> {
  const random = new Random(rows)
  const total = table.size(rows)
  for (let first = 1; first <= total; first += batch) {
    const tuples: string[] = []
    for (let id = first; id < first + batch && id <= total; id++) tuples.push(`(${table.values(id, rows, random)})`)
    yield `INSERT INTO ${table.name} (${table.columns.join(', ')}) VALUES ${tuples.join(', ')}`
  }
}
