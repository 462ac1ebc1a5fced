import { encodeQuery } from '../../protocol/index.js'
import type { Backend } from './backend.js'
import { type BackendLogin, connectBackend } from './backend-connect.js'
import type { WorkerContext } from './context.js'
import { runSetup } from './setup-exchange.js'

/**
 * Ends a statement whose client has gone: a server goes on working for nobody until it tries to write. Needs a second
 * connection of the same account, which may kill its own threads. Best effort: a failure is logged and nothing more.
 */
export function killRunning(backend: Backend, login: BackendLogin, context: WorkerContext): void {
  void kill(backend.target, backend.threadId, { ...login, database: '' }, context)
}

async function kill(
  target: Backend['target'],
  threadId: number,
  login: BackendLogin,
  context: WorkerContext,
): Promise<void> {
  try {
    const connection = await connectBackend(target, login, context.view.snapshot.limits.connectTimeoutServerMs)
    try {
      const { error } = await runSetup(connection, encodeQuery(`KILL ${threadId}`, connection.capabilities))
      // 1094: it has ended meanwhile.
      if (error !== null && error.errno !== 1094) throw new Error(error.message)
      if (error === null) context.counters.queriesKilled++
    } finally {
      connection.quit()
    }
  } catch (error) {
    context.log.warn(
      { server: target.id, thread: threadId },
      `a statement without a client could not be killed: ${(error as Error).message}`,
    )
  }
}
