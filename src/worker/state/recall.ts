import { encodeQuery } from '../../../protocol/index.js'
import { Effect, StatementKind } from '../../sql/index.js'
import { askServer } from '../backend/ask-server.js'
import type { Backend } from '../backend/backend.js'
import { runSetup } from '../backend/setup-exchange.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import { CLEARS_DIAGNOSTICS, type LastInsertId, mayChangeInsertId, type Residue } from './residue.js'

/*
 * Questions about what came before (LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS(), SHOW WARNINGS) that go to a connection on
 * which it did not happen: the connection is made to answer what the session's own would have.
 */

/** What is known of a session that asks. */
export interface Asking {
  readonly command: CommandInHand
  readonly facts: SessionFacts
  readonly residue: Residue
}

const LAST_EFFECTS = Effect.readsRowCount | Effect.readsFoundRows | Effect.readsDiagnostics

/** Whether a connection has to be brought to where the session's own would be, for what the command in hand, or the next, may ask. */
export function asksBack({ command, facts, residue }: Asking, backend: Backend): boolean {
  return (
    asksInsertId(command, residue, backend) ||
    (asksOfLast(command) && facts.last !== backend) ||
    hasOlderDiagnostics(command, facts, backend)
  )
}

/** Whether SHOW WARNINGS after the command in hand could show what was left there before the session's last statement. */
function hasOlderDiagnostics({ executes }: CommandInHand, facts: SessionFacts, backend: Backend): boolean {
  return backend.leftDiagnostics && executes && facts.last !== backend && facts.pins === 0 && facts.holds === 0
}

function asksInsertId({ kind, effects, executes }: CommandInHand, residue: Residue, backend: Backend): boolean {
  if (residue.insertIdOn === backend || !executes) return false
  return (effects & Effect.readsLastInsertId) !== 0 || mayChangeInsertId(kind, effects)
}

/** Whether the command in hand asks for what only the connection of the last statement may know. */
export function asksOfLast({ kind, effects }: Pick<CommandInHand, 'kind' | 'effects'>): boolean {
  return (effects & LAST_EFFECTS) !== 0 || kind === StatementKind.diagnostics
}

/** Makes a connection know what the command in hand asks for. */
export async function recall({ command, facts, residue }: Asking, backend: Backend): Promise<void> {
  backend.move('syncing')
  let asksLast = asksOfLast(command) && facts.last !== backend
  if (asksInsertId(command, residue, backend)) {
    const id = await residue.lastInsertId
    await runSetup(backend, encodeQuery(`SET last_insert_id = ${id === 'unknown' ? 0 : id}`, backend.capabilities))
    residue.insertIdOn = backend
    // That was a statement, too.
    asksLast = asksOfLast(command)
  }
  if (asksLast || hasOlderDiagnostics(command, facts, backend)) {
    const text = asksLast ? residue.reproduction : CLEARS_DIAGNOSTICS
    await runSetup(backend, encodeQuery(text, backend.capabilities))
    backend.leftDiagnostics = false
  }
  if (backend.state === 'syncing') backend.move('idle')
}

/** Asks for LAST_INSERT_ID() on a connection that is about to be another session's; the question is written at once. */
export function askInsertId(backend: Backend): LastInsertId {
  return askServer(backend, 'SELECT LAST_INSERT_ID()').then(
    ({ rows }) => rows[0]?.[0]?.toString('latin1') ?? '0',
    // The connection was lost, and with it what a session of its own would have lost too.
    () => '0',
  )
}
