import type { Flavor } from '../../shared/snapshot.js'
import type { Backend } from '../backend/backend.js'
import { dropStatements } from '../backend/drop-statements.js'
import type { SessionBackends } from '../pool/session-backends.js'
import type { TopologyView } from '../routing/topology-view.js'
import type { SessionRules } from '../rules/session-rules.js'
import { namesOfLogin } from '../state/parse-state.js'
import type { Residue } from '../state/residue.js'
import type { SessionState } from '../state/session-state.js'
import type { VariablesElsewhere } from '../state/variables-elsewhere.js'
import { Hold, Pin, type SessionFacts } from './session-facts.js'
import type { SessionText } from './session-text.js'

/* What a session forgets when its client resets it, and what becomes of the connections that it has set up. */

/** What of a session a reset concerns. */
export interface Resettable {
  readonly facts: SessionFacts
  readonly state: SessionState
  readonly text: SessionText
  readonly rules: SessionRules
  readonly residue: Residue
  readonly backends: SessionBackends
  elsewhere: VariablesElsewhere | null
  clearStatements(): void
}

/**
 * Forgets all that the session has set up, as COM_RESET_CONNECTION does.
 * @returns false when the command in hand has to go to the server: there is something to be undone there, or the
 * connection cannot be opened anew
 */
export function resetSession(session: Resettable, view: TopologyView): boolean {
  const { facts, state, backends } = session
  const keepsConnection = backends.login.withoutPassword === true
  const { flavor, collation } = view.snapshot.greeting
  // MySQL goes back to its own character set, MariaDB to the one of the login.
  const kept = forget(session, flavor === 'mysql' && !keepsConnection ? collation : state.collation, view.flavor)
  if (kept === null || kept.state !== 'idle') {
    if (!keepsConnection) backends.releaseAll((backend) => facts.isDirty(backend))
    return !keepsConnection
  }
  // Until the server has done it; see `serverHasReset`.
  facts.addPin(keepsConnection ? Pin.authentication : Pin.sessionState, kept)
  backends.releaseOthers(kept, (backend) => facts.isDirty(backend))
  dropStatements(kept)
  kept.applied.reset()
  kept.applied.noteCurrent(state)
  return false
}

/** The server has undone all: nothing keeps the session there any more, unless it has no other. */
export function serverHasReset({ facts, state, backends }: Resettable, backend: Backend): void {
  if (backends.login.withoutPassword === true) return
  facts.removePin(Pin.sessionState)
  // MySQL has its own character set now, and not that of the login any more.
  if (backend.target.flavor === 'mysql') backend.collation = state.collation
  else backend.ignoresSpace = false
}

/**
 * Begins anew as the same user, as on a MariaDB server that has refused COM_CHANGE_USER: it resets the session first and
 * then looks who it is to be. The schema stays; the character set is the server's own (sql_parse.cc, COM_CHANGE_USER).
 */
export function startOver(session: Resettable, view: TopologyView): void {
  const { facts, state, backends } = session
  const keepsConnection = backends.login.withoutPassword === true
  const { collation } = view.snapshot.greeting
  const kept = forget(session, keepsConnection ? state.collation : collation, view.flavor)
  if (!keepsConnection) return backends.releaseAll((backend) => backend === kept || facts.isDirty(backend))
  const names = namesOfLogin(collation)
  if (names !== null) state.setNames(names)
  if (kept === null) return
  // It is reset before its next command.
  facts.addPin(Pin.authentication, kept)
  kept.ignoresSpace = false
  kept.applied.tainted = true
  kept.applied.noteStale()
}

/** The session is over: others get its connections, reset where it has left something there. */
export function leaveToOthers({ facts, backends }: Pick<Resettable, 'facts' | 'backends'>): void {
  const { heldOn, holds } = facts
  // MariaDB forgets a prepared transaction when its connection is reset, though not its locks, which stay for good (seen on 10.11).
  if (heldOn?.target.flavor === 'mariadb' && (holds & Hold.xa) !== 0) heldOn.outdated = true
  backends.releaseAll((backend) => facts.keeps(backend) || facts.isDirty(backend))
}

/** CLIENT_IGNORE_SPACE means something to a MariaDB server only until the session is reset or its user changes. */
export function leaveIgnoreSpace({ text, backends }: Pick<Resettable, 'text' | 'backends'>): void {
  text.leaveIgnoreSpace()
  backends.leaveIgnoreSpace()
}

/** @returns the connection that what is forgotten has held */
function forget(session: Resettable, collation: number, flavor: Flavor): Backend | null {
  const { facts, state, rules, residue, backends } = session
  const { pinned, heldOn } = facts
  session.clearStatements()
  session.elsewhere = null
  residue.reset()
  facts.reset()
  rules.reset()
  backends.exclusive = false
  state.reset(collation)
  if (flavor === 'mariadb') leaveIgnoreSpace(session)
  return pinned ?? heldOn
}
