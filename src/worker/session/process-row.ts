import { Command, CommandName } from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import type { KeptConnection, ProcessRow } from '../../shared/ipc.js'
import { Reason } from '../routing/router.js'
import type { Session } from './session.js'
import { holdNames, pinNames, type SessionFacts } from './session-facts.js'

const INFO_LENGTH_MAX = 1_000

/** How a session is shown in the process list. */
export function processRow(session: Session, worker: number): ProcessRow {
  const { command, facts, running, state, text, backends } = session.execution
  const backend = running ?? facts.pinned ?? facts.heldOn
  const now = monotonicMs()
  return {
    threadId: worker,
    sessionId: session.id,
    user: session.user,
    db: state.schema,
    clientHost: session.place.host,
    clientPort: session.place.port,
    hostgroup: backend?.target.hostgroup ?? -1,
    localServerHost: backend?.localAddress ?? '',
    localServerPort: backend?.localPort ?? 0,
    serverHost: backend?.target.host ?? '',
    serverPort: backend?.target.port ?? 0,
    command: session.phase === 'ready' ? 'Sleep' : commandName(command.code),
    timeMs: Math.round(now - session.since),
    info: session.phase === 'ready' ? '' : text.excerpt(command, INFO_LENGTH_MAX),
    statusFlags: facts.statusFlags,
    extendedInfo: JSON.stringify({
      phase: session.phase,
      pins: pinNames(facts.pins),
      holds: holdNames(facts.holds),
      reason: session.phase === 'ready' ? '' : command.reason,
      consistency: facts.consistency.level ?? command.level,
      awaitsReplicas: facts.consistency.lastWriteAt >= 0,
      awaits: session.phase === 'waiting' && command.reason === Reason.waits ? facts.consistency.gtidText : '',
      connections: [...backends.all].map(({ target, state }) => `${target.id} ${state}`),
    }),
    ...keptBy(facts, now),
  }
}

function keptBy({ pins, holds, pinned, heldOn, keptSince }: SessionFacts, now: number): { kept?: KeptConnection } {
  const backend = pinned ?? heldOn
  if (backend === null) return {}
  const { id: server, hostgroup } = backend.target
  const keptMs = Math.round(now - keptSince)
  return { kept: { server, hostgroup, pins: pinNames(pins), holds: holdNames(holds), keptMs } }
}

/** As MySQL's process list names it. */
function commandName(code: number): string {
  if (code === Command.QUERY) return 'Query'
  const name = CommandName[code] ?? ''
  return name === '' ? 'Connect' : name
}
