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
