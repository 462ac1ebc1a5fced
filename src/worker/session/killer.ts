import { encodeQuery } from '../../../protocol/index.js'
import { askServer } from '../backend/ask-server.js'
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
  const statement = `KILL ${what} ${backend.threadId}`
  return during(backend, login, context, statement, (connection) => kill(connection, statement, context))
}

/**
 * Kills a statement once more that goes on, and of which nothing has come since it was killed before. If its server has no
 * statement in hand there, the answer is lost on its way: the connection, dead in one direction, is ended.
 * @param reason what is told of the end of the connection
 */
export function endStalled(
  backend: Backend,
  login: BackendLogin,
  context: WorkerContext,
  reason: string,
): Promise<void> {
  const statement = `KILL QUERY ${backend.threadId}`
  return during(backend, login, context, statement, async (connection) => {
    const received = backend.bytesReceived
    if (!(await isIdleOnServer(backend, connection))) return kill(connection, statement, context)
    // What this process has been sent before it was told is read by then.
    await new Promise((resolve) => setImmediate(resolve))
    if (backend.bytesReceived === received && !backend.isPaused) backend.destroy(reason)
  })
}

/** A server shows everyone the connections of its own account. */
async function isIdleOnServer({ threadId }: Backend, connection: Backend): Promise<boolean> {
  const { rows } = await askServer(
    connection,
    `SELECT COMMAND FROM information_schema.PROCESSLIST WHERE ID = ${threadId}`,
  )
  const command = rows[0]?.[0]?.toString('latin1')
  return command === undefined || command === 'Sleep'
}

async function kill(connection: Backend, statement: string, context: WorkerContext): Promise<void> {
  const { error } = await runSetup(connection, encodeQuery(statement, connection.capabilities))
  // 1094: it has ended meanwhile.
  if (error !== null && error.errno !== 1094) throw new Error(error.message)
  if (error === null) context.counters.queriesKilled++
}

/** Does something on a second connection, and lets nothing else be executed on the first one meanwhile. */
function during(
  backend: Backend,
  login: BackendLogin,
  context: WorkerContext,
  statement: string,
  act: (connection: Backend) => Promise<void>,
): Promise<void> {
  const one = onSecond(backend.target, { ...login, database: '' }, context, statement, act)
  // Where the statement is over before the KILL comes, it must not hit the next one.
  const killing = Promise.all([backend.killing, one])
  backend.killing = killing
  return killing.then(() => {
    if (backend.killing === killing) backend.killing = null
  })
}

async function onSecond(
  target: Backend['target'],
  login: BackendLogin,
  context: WorkerContext,
  statement: string,
  act: (connection: Backend) => Promise<void>,
): Promise<void> {
  try {
    const { connectTimeoutServerMs, connectTimeoutServerMaxMs } = context.view.snapshot.limits
    const connection = await connectBackend({ ...target, initConnect: [] }, login, connectTimeoutServerMs)
    // The session waits for this before it goes on.
    const timer = setTimeout(() => connection.destroy('no answer to KILL'), connectTimeoutServerMaxMs)
    try {
      await act(connection)
    } finally {
      clearTimeout(timer)
      connection.quit()
    }
  } catch (error) {
    context.log.warn({ server: target.id, statement }, `a statement could not be ended: ${(error as Error).message}`)
  }
}
