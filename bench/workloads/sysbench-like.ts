import { ExecutePacket, preparePacket, queryPacket } from '../load/packets.js'
import { Random } from '../stats/random.js'
import { oneOf, packetsFor, sequence } from './scripts.js'
import type { DataShape, Script, Workload } from './workload.js'

const POINT_SELECT = 'SELECT c FROM sbtest1 WHERE id='
/** Distinct packets per kind of statement that is not chosen by key alone; more would only cost memory. */
const VARIANTS = 2_000
const RANGE_SIZE = 100
const POINT_SELECTS_PER_TRANSACTION = 10

export const pointSelect: Workload = {
  name: 'point-select',
  summary: 'one row by primary key, text protocol',
  tables: ['sbtest1'],
  defaultConnections: 64,
  operation: 'query',
  unit: 'query',
  connectsPerOperation: false,
  groups({ rows }) {
    const packets = pointSelects(rows)
    return [{ name: 'readers', share: 1, script: (random) => oneOf(packets, random) }]
  },
}

export const preparedPointSelect: Workload = {
  name: 'prepared-point-select',
  summary: 'one row by primary key, COM_STMT_EXECUTE',
  tables: ['sbtest1'],
  defaultConnections: 64,
  operation: 'query',
  unit: 'query',
  connectsPerOperation: false,
  groups({ rows }) {
    const prepare = [preparePacket(`${POINT_SELECT}?`)]
    return [{ name: 'readers', share: 1, script: (random) => preparedScript(prepare, rows, random) }]
  },
}

export const readWrite: Workload = {
  name: 'read-write',
  summary: 'transactions of 10 point selects, 4 range selects, 2 updates, delete and insert, as oltp_read_write',
  tables: ['sbtest1'],
  defaultConnections: 16,
  operation: 'transaction',
  unit: 'query',
  connectsPerOperation: false,
  groups(data) {
    const statements = transactionStatements(data)
    return [{ name: 'clients', share: 1, script: (random) => sequence(() => transaction(statements, random)) }]
  },
}

export const bulk: Workload = {
  name: 'bulk',
  summary: 'large result sets: the whole of sbtest1 (about 2 MB for 10,000 rows) with each query',
  tables: ['sbtest1'],
  defaultConnections: 4,
  operation: 'query',
  unit: 'MB',
  connectsPerOperation: false,
  groups() {
    const packets = [queryPacket('SELECT * FROM sbtest1')]
    return [{ name: 'readers', share: 1, script: (random) => oneOf(packets, random) }]
  },
}

export function pointSelects(rows: number): Buffer[] {
  return packetsFor(rows, (id) => queryPacket(`${POINT_SELECT}${id}`))
}

function preparedScript(prepare: readonly Buffer[], rows: number, random: Random): Script {
  let execute = new ExecutePacket(0)
  return {
    prepare,
    prepared([id]) {
      execute = new ExecutePacket(id)
    },
    first: () => execute.with(random.between(1, rows)),
    following: () => null,
  }
}

interface TransactionStatements {
  readonly begin: Buffer
  readonly commit: Buffer
  readonly points: readonly Buffer[]
  readonly ranges: readonly (readonly Buffer[])[]
  readonly updates: readonly (readonly Buffer[])[]
  readonly deletes: readonly Buffer[]
  readonly inserts: readonly Buffer[]
}

function transactionStatements({ rows }: DataShape): TransactionStatements {
  const random = new Random(rows)
  const lastStart = Math.max(1, rows - RANGE_SIZE + 1)
  const variants = (make: () => string) => packetsFor(VARIANTS, () => queryPacket(make()))
  const range = (columns: string, end: string) =>
    variants(() => {
      const from = random.between(1, lastStart)
      return `SELECT ${columns} FROM sbtest1 WHERE id BETWEEN ${from} AND ${from + RANGE_SIZE - 1}${end}`
    })
  return {
    begin: queryPacket('BEGIN'),
    commit: queryPacket('COMMIT'),
    points: pointSelects(rows),
    ranges: [range('c', ''), range('SUM(k)', ''), range('c', ' ORDER BY c'), range('DISTINCT c', ' ORDER BY c')],
    updates: [
      variants(() => `UPDATE sbtest1 SET k=k+1 WHERE id=${random.between(1, rows)}`),
      variants(() => `UPDATE sbtest1 SET c='${random.digitGroups(10)}' WHERE id=${random.between(1, rows)}`),
    ],
    deletes: packetsFor(rows, (id) => queryPacket(`DELETE FROM sbtest1 WHERE id=${id}`)),
    inserts: packetsFor(rows, (id) =>
      queryPacket(
        `INSERT INTO sbtest1 (id, k, c, pad) VALUES (${id}, ${random.between(1, rows)}, ` +
          `'${random.digitGroups(10)}', '${random.digitGroups(5)}')`,
      ),
    ),
  }
}

function transaction(statements: TransactionStatements, random: Random): Buffer[] {
  const anyOf = (packets: readonly Buffer[]) => packets[random.below(packets.length)]
  const packets = [statements.begin]
  for (let count = 0; count < POINT_SELECTS_PER_TRANSACTION; count++) packets.push(anyOf(statements.points))
  for (const range of statements.ranges) packets.push(anyOf(range))
  for (const update of statements.updates) packets.push(anyOf(update))
  const replaced = random.below(statements.deletes.length)
  packets.push(statements.deletes[replaced], statements.inserts[replaced], statements.commit)
  return packets
}
