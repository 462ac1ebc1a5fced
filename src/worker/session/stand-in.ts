import type { SessionPlace } from '../../shared/ipc.js'
import type { Backend } from '../backend/backend.js'
import { connectBackend } from '../backend/backend-connect.js'
import type { WorkerContext } from '../context.js'
import type { Session } from './session.js'

/** Whoever asks for a session waits for its worker's answer no longer than a second. */
const CONNECT_MS = 700
/** A KILL that has not come by then comes no more. */
const STANDS_MS = 2_000

const standing = new WeakMap<Session, Backend>()

/**
 * A connection of a session's account that stands for the session while it has none of its own: a server that is told to KILL it
 * says by it whether the session may be killed.
 * @returns null: no server can be reached in time
 */
export async function standIn(
  session: Session,
  context: WorkerContext,
): Promise<SessionPlace['connections'][number] | null> {
  const known = standing.get(session)
  if (known !== undefined && known.state === 'idle') return placeOn(known)
  const { facts, backends } = session.execution
  const target = context.view.online(facts.user.defaultHostgroup)[0]?.target
  if (target === undefined) return null
  try {
    const login = { ...backends.login, database: '' }
    const connection = await connectBackend({ ...target, initConnect: [] }, login, CONNECT_MS)
    standing.set(session, connection)
    setTimeout(() => connection.quit(), STANDS_MS).unref()
    return placeOn(connection)
  } catch (error) {
    context.log.info({ server: target.id }, `nothing can stand for a session that is to be killed: ${String(error)}`)
    return null
  }
}

function placeOn({ target, threadId }: Backend): SessionPlace['connections'][number] {
  return { server: target.id, threadId, running: false }
}
