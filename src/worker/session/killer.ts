import { encodeQuery } from '../../../protocol/index.js'
import type { Backend } from '../backend/backend.js'
import { connectBackend } from '../backend/backend-connect.js'
import type { BackendLogin } from '../backend/backend-login.js'
import { runSetup } from '../backend/setup-exchange.js'
import type { WorkerContext } from '../context.js'

/**
 * Ends a statement whose client has gone (a server goes on working for nobody until it tries to write), or one that was
 * killed, or took too long. Needs a second connection of the same account, which may kill its own threads. Best effort: a failure is logged and nothing more.
 * Until the KILL is over (`Backend.killing`), nothing else may be executed on the connection.
 */
export function killRunning(
  backend: Backend,
  login: BackendLogin,
  context: WorkerContext,
  what: 'CONNECTION' | 'QUERY' = 'CONNECTION',
): Promise<void> {
  const one = kill(backend.target, `KILL ${what} ${backend.threadId}`, { ...login, database: '' }, context)
  // Where the statement is over before the KILL comes, it must not hit the next one.
  const killing = Promise.all([backend.killing, one])
  backend.killing = killing
  return killing.then(() => {
    if (backend.killing === killing) backend.killing = null
  })
}

async function kill(
  target: Backend['target'],
  statement: string,
  login: BackendLogin,
  context: WorkerContext,
): Promise<void> {
  try {
    const { connectTimeoutServerMs, connectTimeoutServerMaxMs } = context.view.snapshot.limits
    const connection = await connectBackend({ ...target, initConnect: [] }, login, connectTimeoutServerMs)
    // The session waits for this before it goes on.
    const timer = setTimeout(() => connection.destroy('no answer to KILL'), connectTimeoutServerMaxMs)
    try {
      const { error } = await runSetup(connection, encodeQuery(statement, connection.capabilities))
      // 1094: it has ended meanwhile.
      if (error !== null && error.errno !== 1094) throw new Error(error.message)
      if (error === null) context.counters.queriesKilled++
    } finally {
      clearTimeout(timer)
      connection.quit()
    }
  } catch (error) {
    context.log.warn({ server: target.id, statement }, `a statement could not be ended: ${(error as Error).message}`)
  }
}
