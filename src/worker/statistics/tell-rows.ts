import { setImmediate } from 'node:timers/promises'
import { monotonicMs } from '../../shared/clock.js'
import type { FromWorker } from '../../shared/ipc.js'
import type { FreeConnectionRow, WorkerTable, WorkerTables } from '../../shared/worker-tables.js'
import type { Backend } from '../backend/backend.js'
import type { Pool } from '../pool/pool.js'
import type { SharedStatements } from '../statements/shared-statement.js'
import type { DigestStatistics } from './digest-statistics.js'
import type { ServerErrors } from './server-errors.js'

/** What goes in one message at most, so that neither side is held up: rows, and characters of their texts. */
const PIECE_ROWS_MAX = 500
const PIECE_CHARACTERS_MAX = 128 << 10

/** What of a worker has rows to tell. */
export interface RowsContext {
  readonly digestStatistics: DigestStatistics
  readonly serverErrors: ServerErrors
  readonly sharedStatements: SharedStatements
  readonly pool: Pool
  users(): Iterable<WorkerTables['users']>
}

/**
 * Tells the rows of a table in pieces, the last of which says so; statements are served between two of them.
 * @param reset what is counted begins anew with the rows that are told
 */
export async function tellRows(
  request: number,
  table: WorkerTable,
  reset: boolean,
  context: RowsContext,
  send: (message: FromWorker) => void,
): Promise<void> {
  let rows: WorkerTables[WorkerTable][] = []
  let characters = 0
  for (const row of rowsOf(table, reset, context)) {
    rows.push(row)
    characters += lengthOf(row)
    if (rows.length < PIECE_ROWS_MAX && characters < PIECE_CHARACTERS_MAX) continue
    send({ type: 'rows', request, rows, last: false })
    rows = []
    characters = 0
    await setImmediate()
  }
  send({ type: 'rows', request, rows, last: true })
}

function rowsOf(table: WorkerTable, reset: boolean, context: RowsContext): Iterable<WorkerTables[WorkerTable]> {
  switch (table) {
    case 'digests':
      return context.digestStatistics.report(reset, monotonicMs(), Date.now())
    case 'errors':
      return context.serverErrors.report(reset)
    case 'freeConnections':
      return freeConnections(context.pool, monotonicMs())
    case 'preparedStatements':
      return context.sharedStatements.report()
    case 'users':
      return context.users()
  }
}

/** The text that is the longest part of a row. */
function lengthOf(row: WorkerTables[WorkerTable]): number {
  if ('text' in row) return row.text.length
  return 'query' in row ? row.query.length : 0
}

function* freeConnections(pool: Pool, now: number): Generator<FreeConnectionRow> {
  for (const backend of pool.connections()) if (backend.shelf !== null) yield freeConnection(backend, now)
}

function freeConnection({ accounting, target, threadId, profile, applied, ...rest }: Backend, now: number) {
  const { variables, schema } = applied
  const shown = (name: string): string => (variables.get(name) ?? '').replace(/^'(.*)'$/, '$1')
  return {
    hostgroup: accounting!.hostgroup,
    server: target.id,
    threadId,
    user: profile === null ? '' : String((JSON.parse(profile) as unknown[])[0]),
    schema,
    timeZone: shown('time_zone'),
    sqlMode: shown('sql_mode'),
    autocommit: !['0', 'OFF'].includes(shown('autocommit')),
    idleMs: Math.max(0, Math.round(now - rest.restedAt)),
    statistics: JSON.stringify({
      age_ms: Math.round(now - rest.openedAt),
      bytes_recv: rest.bytesReceived,
      bytes_sent: rest.bytesSent,
      statements: rest.statements.length,
    }),
    info: JSON.stringify({ address: `${target.host}:${target.port}`, thread_id: threadId }),
  }
}
