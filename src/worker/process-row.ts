import { Command, CommandName } from '../../protocol/index.js'
import { monotonicMs } from '../shared/clock.js'
import type { ProcessRow } from '../shared/ipc.js'
import { Reason } from './router.js'
import type { Session } from './session.js'
import { holdNames, pinNames } from './session-facts.js'

const INFO_LENGTH_MAX = 1_000

/** How a session is shown in the process list. */
export function processRow(session: Session, worker: number): ProcessRow {
  const { command, facts, running, state, text, backends } = session.execution
  const backend = running ?? facts.pinned ?? facts.heldOn
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
    timeMs: Math.round(monotonicMs() - session.since),
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
  }
}

/** As MySQL's process list names it. */
function commandName(code: number): string {
  if (code === Command.QUERY) return 'Query'
  const name = CommandName[code] ?? ''
  return name === '' ? 'Connect' : name
}
