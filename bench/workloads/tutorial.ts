import { PING_PACKET, queryPacket } from '../load/packets.js'
import { Random } from '../stats/random.js'
import { oneOf } from './scripts.js'
import type { DataShape, Group, Workload } from './workload.js'

/** The two shapes of load that tutorials on read/write splitting use, on `customers` and `orders`, and the login by itself. */

const VARIANTS = 4_000
const READERS = 50
const WRITERS = 10

export const mixed: Workload = {
  name: 'mixed',
  summary: '50 readers and 10 writers on orders and customers',
  tables: ['customers', 'orders'],
  defaultConnections: READERS + WRITERS,
  operation: 'query',
  unit: 'query',
  connectsPerOperation: false,
  groups: readersAndWriters,
}

export const connectPerQuery: Workload = {
  name: 'connect-per-query',
  summary: 'the same statements, each on a connection of its own',
  tables: ['customers', 'orders'],
  defaultConnections: READERS + WRITERS,
  operation: 'query',
  unit: 'query',
  connectsPerOperation: true,
  groups: readersAndWriters,
}

export const login: Workload = {
  name: 'login',
  summary: 'a login with caching_sha2_password, and COM_PING',
  tables: [],
  defaultConnections: READERS + WRITERS,
  operation: 'login',
  unit: 'query',
  connectsPerOperation: true,
  groups: () => [{ name: 'clients', share: 1, script: (random) => oneOf([PING_PACKET], random) }],
}

function readersAndWriters(data: DataShape): Group[] {
  const reads = readStatements(data).map(queryPacket)
  const writes = writeStatements(data).map(queryPacket)
  const total = READERS + WRITERS
  return [
    { name: 'readers', share: READERS / total, script: (random) => oneOf(reads, random) },
    { name: 'writers', share: WRITERS / total, script: (random) => oneOf(writes, random) },
  ]
}

function readStatements({ rows }: DataShape): string[] {
  const random = new Random(1)
  const customer = () => random.between(1, rows)
  return statements([
    () => `SELECT id, name, city FROM customers WHERE id = ${customer()}`,
    () => `SELECT id, amount, status FROM orders WHERE customer_id = ${customer()} ORDER BY id DESC LIMIT 10`,
    () => `SELECT COUNT(*), SUM(amount) FROM orders WHERE customer_id = ${customer()}`,
    () =>
      `SELECT c.name, o.amount FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.id = ${customer()} LIMIT 5`,
  ])
}

function writeStatements({ rows }: DataShape): string[] {
  const random = new Random(2)
  const customer = () => random.between(1, rows)
  return statements([
    () =>
      `INSERT INTO orders (customer_id, amount, status) VALUES (${customer()}, ${random.between(100, 99_999) / 100}, 'new')`,
    () => `UPDATE orders SET status = 'sent' WHERE id = ${customer()}`,
    () => `UPDATE customers SET city = 'City ${random.below(500)}' WHERE id = ${customer()}`,
  ])
}

function statements(kinds: readonly (() => string)[]): string[] {
  return Array.from({ length: VARIANTS }, (_, index) => kinds[index % kinds.length]())
}
