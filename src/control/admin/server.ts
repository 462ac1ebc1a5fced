import { createServer, type Server, type Socket } from 'node:net'
import { rsaKeyPairOnDemand } from '../../../protocol/index.js'
import { TlsContexts } from '../../shared/client-tls.js'
import type { Logger } from '../../shared/log.js'
import { LoginThrottle } from '../../shared/login-throttle.js'
import type { ListenAddress } from '../../shared/snapshot.js'
import { formatListenAddress } from '../config/addresses.js'
import type { ControlView, RunningService } from '../view.js'
import { EXPLAIN_ROUTE_COMMAND } from './commands/explain-route.js'
import { AdminConnection, refuseConnection } from './connection.js'
import type { ConnectionContext } from './connection-context.js'
import { EngineHost } from './engine/host.js'
import { AdminExecutor } from './executor.js'
import { StatementGuard } from './guard.js'
import type { ExtraCommand } from './session.js'

export interface AdminOptions {
  /** Statements in dialects of their own, tried before all others. */
  readonly extraCommands?: readonly ExtraCommand[]
  /** The compiled `engine/thread.js`, where it does not lie next to this file. */
  readonly engineThread?: URL
  /** How long one statement may run, in milliseconds; 5,000 unless given. */
  readonly statementDeadlineMs?: number
}

/** An operator's machine holds a few; a tool that leaks them must not take the control plane's file descriptors. */
const CONNECTIONS_MAX = 256
/** Connection ids of this port begin far above those of client sessions, so that no log mixes them up. */
const FIRST_CONNECTION_ID = 0x7000_0000
/** For whoever guesses passwords, after each failed login over the limit. */
const FAILED_WAIT_MS = 60_000

/**
 * Serves the admin port on every address of `config.admin.listen`. Rejects when one cannot be bound or the engine does not
 * start; nothing is left behind then.
 */
export async function startAdmin(view: ControlView, log: Logger, options: AdminOptions = {}): Promise<RunningService> {
  const { admin } = view.config
  if (admin === null) throw new Error('the configuration has no admin port')
  const engine = new EngineHost(log, { threadUrl: options.engineThread, deadlineMs: options.statementDeadlineMs })
  const { audit } = view
  const guard = new StatementGuard(
    audit,
    (event) => view.note(event),
    () => view.store.config.admin?.readOnly === true,
  )
  const connections = new Set<{ close(): void }>()
  const tls = new TlsContexts()
  const context: ConnectionContext = {
    // While the port is open there are accounts.
    accounts: () => view.config.admin ?? admin,
    throttle: new LoginThrottle({ firstMs: FAILED_WAIT_MS, maxMs: FAILED_WAIT_MS }),
    guard,
    audit,
    note: (event) => view.note(event),
    executor: new AdminExecutor({ view, engine, log, guard }, [
      EXPLAIN_ROUTE_COMMAND,
      ...(options.extraCommands ?? []),
    ]),
    tls: () => tls.server(view.snapshot().tls),
    rsaKeyPair: rsaKeyPairOnDemand(),
    log,
    closed: (connection) => connections.delete(connection),
  }
  let lastId = FIRST_CONNECTION_ID
  const accept = (socket: Socket): void => {
    if (connections.size >= CONNECTIONS_MAX) {
      refuseConnection(socket)
      return
    }
    const connection = new AdminConnection(socket, ++lastId, context)
    connections.add(connection)
    connection.start()
  }
  const servers: Server[] = []
  const close = async (): Promise<void> => {
    const closing = servers.map((server) => new Promise((resolve) => server.close(resolve)))
    for (const connection of connections) connection.close()
    await Promise.all(closing)
    await engine.close()
  }
  try {
    await engine.start()
    for (const address of admin.listen) servers.push(await listen(address, accept, log))
  } catch (error) {
    await close()
    throw error
  }
  return { address: servers.map(addressOf).join(', '), close }
}

function listen(address: ListenAddress, accept: (socket: Socket) => void, log: Logger): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true }, accept)
    server.once('error', reject)
    server.listen(
      address.path === undefined ? { host: address.host, port: address.port } : { path: address.path },
      () => {
        server.off('error', reject)
        server.on('error', (error) => log.error({ err: error }, 'the admin port failed'))
        resolve(server)
      },
    )
  })
}

function addressOf(server: Server): string {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return formatListenAddress({ path: bound ?? '' })
  return formatListenAddress({ host: bound.address, port: bound.port })
}
