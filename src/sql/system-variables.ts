import { FOLD } from './characters.js'
import { Demand } from './function-effects.js'
import { Effect } from './kinds.js'

/** What reading a system variable means, beyond that it is one. */
export interface SpecialVariable {
  readonly name: Uint8Array
  readonly effects: number
  readonly demand: number
  /** Nobody sets it: it says which server has answered, and may be asked for just to know that. */
  readonly tellsServer: boolean
}

function special(name: string, effects: number, demand: number): SpecialVariable {
  return { name: Buffer.from(name), effects, demand, tellsServer: false }
}

function tellsServer(name: string): SpecialVariable {
  return { name: Buffer.from(name), effects: Effect.nonDeterministic, demand: Demand.none, tellsServer: true }
}

/** System variables whose value the session's statements leave behind, or that change by themselves. */
const SPECIAL: readonly SpecialVariable[] = [
  special('warning_count', Effect.readsDiagnostics, Demand.last),
  special('error_count', Effect.readsDiagnostics, Demand.last),
  special('last_insert_id', Effect.readsLastInsertId, Demand.primary),
  special('identity', Effect.readsLastInsertId, Demand.primary),
  special('last_gtid', Effect.readsLastInsertId, Demand.primary),
  special('pseudo_thread_id', Effect.readsConnectionId, Demand.none),
  special('timestamp', Effect.nonDeterministic, Demand.none),
  // Files belong to one server: the primary's are meant.
  special('basedir', 0, Demand.primary),
  special('datadir', 0, Demand.primary),
  special('general_log_file', 0, Demand.primary),
  special('innodb_data_home_dir', 0, Demand.primary),
  special('log_error', 0, Demand.primary),
  special('plugin_dir', 0, Demand.primary),
  special('secure_file_priv', 0, Demand.primary),
  special('slow_query_log_file', 0, Demand.primary),
  special('tmpdir', 0, Demand.primary),
  tellsServer('hostname'),
  tellsServer('port'),
  tellsServer('server_id'),
  tellsServer('server_uuid'),
  tellsServer('read_only'),
  tellsServer('super_read_only'),
  tellsServer('innodb_read_only'),
]

const GLOBAL = Buffer.from('global.')

/** Whether a system variable that begins at `start` and whose name begins at `nameStart` is `@@global.name`. */
export function isGlobal(buffer: Uint8Array, start: number, nameStart: number): boolean {
  const scope = start + 2
  return nameStart - scope >= GLOBAL.length && equalsFolded(buffer, scope, scope + GLOBAL.length, GLOBAL)
}

/**
 * Session variables that mean something to one connection only, or to its next statement: setting them elsewhere would be
 * something else, so that a session stays where it has set them.
 */
export const ONE_CONNECTION_VARIABLES: ReadonlySet<string> = new Set([
  'gtid_domain_id',
  'gtid_next',
  'gtid_seq_no',
  'identity',
  'immediate_server_version',
  'insert_id',
  'last_insert_id',
  'original_commit_timestamp',
  'original_server_version',
  'pseudo_replica_mode',
  'pseudo_slave_mode',
  'pseudo_thread_id',
  'rand_seed1',
  'rand_seed2',
  'server_id',
  'skip_parallel_replication',
  'skip_replication',
  'sql_log_bin',
  // A moment, told in words of the time zone that the session has when it is asked.
  'system_versioning_asof',
])

const ONE_CONNECTION_NAMES: readonly Uint8Array[] = [...ONE_CONNECTION_VARIABLES].map((name) => Buffer.from(name))

/** Whether [start, end) of the buffer is one of `ONE_CONNECTION_VARIABLES`. */
export function isOfOneConnection(buffer: Uint8Array, start: number, end: number): boolean {
  return ONE_CONNECTION_NAMES.some((name) => equalsFolded(buffer, start, end, name))
}

/** The entry of the variable whose name is [start, end) of the buffer; undefined: nothing special. */
export function specialVariable(buffer: Uint8Array, start: number, end: number): SpecialVariable | undefined {
  for (const variable of SPECIAL) if (equalsFolded(buffer, start, end, variable.name)) return variable
  return undefined
}

/** Whether [start, end) of the buffer is the word, whatever its case. `word`: lower case. */
export function equalsFolded(buffer: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false
  for (let i = 0; i < word.length; i++) if (FOLD[buffer[start + i] as number] !== word[i]) return false
  return true
}
