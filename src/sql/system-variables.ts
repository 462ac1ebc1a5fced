import { FOLD } from './characters.js'
import { Demand } from './function-effects.js'
import { Effect } from './kinds.js'

/** What reading a system variable means, beyond that it is one. */
export interface SpecialVariable {
  readonly name: Uint8Array
  readonly effects: number
  readonly demand: number
}

function special(name: string, effects: number, demand: number): SpecialVariable {
  return { name: Buffer.from(name), effects, demand }
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
]

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
