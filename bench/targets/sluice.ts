import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { Address, Credentials } from '../load/connection.js'
import { freePorts } from '../system/ports.js'
import { endOnAbort } from '../system/processes.js'
import { waitUntilServing } from './serving.js'
import type { Target } from './target.js'

const PROGRAM = fileURLToPath(new URL('../../src/main.js', import.meta.url))
const START_TIMEOUT_MS = 30_000
const OUTPUT_CHARS_MAX = 4_000
const UNLIMITED_CONNECTIONS = 100_000

export interface SluiceOptions {
  readonly primary: Address
  readonly replicas: readonly Address[]
  readonly user: Credentials
  readonly monitor: Credentials
  readonly workers: number
  /** In bytes. */
  readonly maxAllowedPacket: number
  readonly maxConnections: number
  /** Of the target; `sluice` unless given. */
  readonly name?: string
  /** Connections to each server; more than any run makes unless given. */
  readonly serverConnections?: number
  /** More keys of its configuration. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Ends it; by SIGTERM, since its workers would go on without their parent. */
  readonly signal: AbortSignal
}

/**
 * Starts Sluice from the built program with a configuration made for this run.
 * @throws Error with the end of its output when it does not come up
 */
export async function startSluice(options: SluiceOptions): Promise<Target> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
  const [port, admin, metrics] = await freePorts(3)
  const file = join(dir, 'sluice.yaml')
  writeFileSync(file, stringify(configuration(options, { port, admin, metrics, dir })))
  const child = spawn(process.execPath, [PROGRAM, 'start', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  endOnAbort(child, options.signal)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARS_MAX)
    })
  }
  const target: Target = {
    name: options.name ?? 'sluice',
    host: '127.0.0.1',
    port,
    pids: [child.pid as number],
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit')
        child.kill('SIGTERM')
        await exit
      }
      rmSync(dir, { recursive: true, force: true })
    },
  }
  const exited = once(child, 'exit').then(() => {
    throw new Error('it ended')
  })
  try {
    await Promise.race([waitUntilServing(target, options.user, START_TIMEOUT_MS), exited])
  } catch (error) {
    await target.stop()
    throw new Error(`sluice does not come up: ${(error as Error).message}\n${output}`)
  } finally {
    exited.catch(() => {}) // ends with the bench, which is no failure then
  }
  return target
}

interface Places {
  readonly port: number
  readonly admin: number
  readonly metrics: number
  readonly dir: string
}

function configuration(options: SluiceOptions, { port, admin, metrics, dir }: Places): object {
  const { primary, replicas, monitor, workers, maxAllowedPacket, maxConnections, config = {} } = options
  const max_connections = options.serverConnections ?? UNLIMITED_CONNECTIONS
  const server = ({ host, port }: Address, hostgroup: number) => ({ host, port, hostgroup, max_connections })
  return {
    listen: `127.0.0.1:${port}`,
    workers,
    admin: { listen: `127.0.0.1:${admin}` },
    metrics: { listen: `127.0.0.1:${metrics}` },
    monitor: { user: monitor.user, password: monitor.password },
    servers: [server(primary, 0), ...replicas.map((replica) => server(replica, 1))],
    replication_hostgroups: [{ writer: 0, reader: 1 }],
    datadir: dir,
    ...config,
    limits: { max_connections: maxConnections, max_allowed_packet: maxAllowedPacket, ...(config['limits'] ?? {}) },
  }
}
