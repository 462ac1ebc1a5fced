import type { WorkerTable } from '../../../shared/worker-tables.js'
import { notSupported, unknownDatabase } from '../errors.js'
import type { Match } from '../pattern.js'
import { type AdminResult, type CommandContext, OK } from '../session.js'
import { type AdminCommand, adminOnly } from './command.js'

/** What workers count in, by the tables that show it. */
const COUNTED: ReadonlyMap<string, WorkerTable> = new Map([
  ['stats_mysql_query_digest', 'digests'],
  ['stats_mysql_query_digest_reset', 'digests'],
  ['stats_mysql_errors', 'errors'],
  ['stats_mysql_errors_reset', 'errors'],
])

async function truncate({ view }: CommandContext, match: Match): Promise<AdminResult> {
  const database = match.taken.get('database')?.value
  if (database !== undefined && database.toLowerCase() !== 'stats') throw unknownDatabase(database, ['stats'])
  const counted = COUNTED.get(match.taken.get('table')?.value.toLowerCase() ?? '')
  if (counted === undefined) {
    throw notSupported(
      'expected TRUNCATE of stats_mysql_query_digest or stats_mysql_errors; DELETE empties other tables',
    )
  }
  await view.workerRows(counted, true)
  return OK
}

/** TRUNCATE begins the counting of statistics anew, as reading their `_reset` table does. */
export const TRUNCATE_COMMANDS: readonly AdminCommand[] = [
  adminOnly('TRUNCATE TABLE <table>', truncate),
  adminOnly('TRUNCATE TABLE <database> <dot> <table>', truncate),
  adminOnly('TRUNCATE <table>', truncate),
  adminOnly('TRUNCATE <database> <dot> <table>', truncate),
]
