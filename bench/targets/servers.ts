import { type Cluster, type Engine, startCluster } from '../../src/sandbox/index.js'
import type { Address, Credentials } from '../load/connection.js'

/** The servers behind all targets of a run. */
export interface Servers {
  /** For the report: `MySQL 9.7.1` or the address that was given. */
  readonly description: string
  readonly primary: Address
  readonly replicas: readonly Address[]
  readonly user: Credentials
  readonly monitor: Credentials
  /** null: the servers are not ours. */
  readonly cluster: Cluster | null
  /** Waits until the replicas have all data. */
  settle(): Promise<void>
  stop(): Promise<void>
}

export interface SandboxServersOptions {
  readonly engine: Engine
  readonly replicas: number
  /** Connections the servers have to take at the same time. */
  readonly connections: number
  readonly onProgress: (message: string) => void
  /** Ends a start that is under way. */
  readonly signal: AbortSignal
}

const ENGINE_NAMES: Readonly<Record<Engine, string>> = { mysql: 'MySQL', mariadb: 'MariaDB' }
const SPARE_CONNECTIONS = 50
/** Above the 64 MB statement that the memory workload sends. */
export const MAX_ALLOWED_PACKET = 128 << 20

/** Starts a throw-away cluster on this machine. */
export async function startServers(options: SandboxServersOptions): Promise<Servers> {
  const { engine, replicas, connections, onProgress, signal } = options
  const cluster = await startCluster({
    engine,
    replicas,
    signal,
    serverOptions: [
      `--max-connections=${Math.max(200, 2 * connections + SPARE_CONNECTIONS)}`,
      `--max-allowed-packet=${MAX_ALLOWED_PACKET}`,
    ],
    progress: ({ message }) => onProgress(message),
  })
  const { app, monitor } = cluster.accounts
  return {
    description: `${ENGINE_NAMES[engine]} ${cluster.version}${replicas > 0 ? ` with ${replicas} replicas` : ''}`,
    primary: { host: cluster.primary.host, port: cluster.primary.port },
    replicas: cluster.replicas.map(({ host, port }) => ({ host, port })),
    user: app,
    monitor,
    cluster,
    settle: () => cluster.waitForReplicas(),
    stop: () => cluster.down(),
  }
}

/** A server that is there already. */
export function existingServers(primary: Address, user: Credentials, monitor: Credentials): Servers {
  return {
    description: 'a server given by --server',
    primary,
    replicas: [],
    user,
    monitor,
    cluster: null,
    settle: async () => {},
    stop: async () => {},
  }
}
