import { ProxyError } from '../../shared/errors.js'
import type { WorkerContext } from '../context.js'
import { errPacket, okPacket } from '../session/answers.js'
import type { Session } from '../session/session.js'
import { asProxyError, SHUTDOWN } from '../session/session-end.js'

/**
 * Ends the login: a session within its user's limit, whose schema a server has (only a server can tell), gets its OK;
 * any other gets the error that the server would have sent.
 * @param exceeded the user's limit when it has been reached, else null
 */
export function admit(
  session: Session,
  { knownSchemas }: WorkerContext,
  sequence: number,
  exceeded: number | null,
): void {
  if (exceeded !== null) {
    const message = `User '${session.user}' has exceeded the 'max_user_connections' resource (current value: ${exceeded})`
    return refuse(session, sequence, new ProxyError('user-connections', 1226, '42000', message))
  }
  const { schema } = session.execution.state
  const key = `${session.user}\n${schema}`
  if (schema === '' || knownSchemas.has(key)) return welcome(session, sequence)
  session.execution.checkSchema().then(
    () => {
      knownSchemas.set(key, true)
      welcome(session, sequence)
    },
    (error: unknown) => refuse(session, sequence, error),
  )
}

function welcome(session: Session, sequence: number): void {
  if (session.phase === 'closed') return
  if (session.draining) return refuse(session, sequence, SHUTDOWN)
  session.welcome(okPacket(sequence, session.execution.facts.statusFlags, session.capabilities))
}

function refuse(session: Session, sequence: number, error: unknown): void {
  if (session.phase === 'closed') return
  const known = asProxyError(error)
  session.refuse(errPacket(sequence, known, session.capabilities), known.message)
}
