import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Connection, type ConnectionOptions, createConnection } from 'mysql2/promise'
import { afterAll } from 'vitest'
import { stringify } from 'yaml'
import type { Cluster, SandboxServer } from '../../src/sandbox/index.js'
import { freePorts } from '../../src/sandbox/ports.js'

/** Compiled by `node build.mjs`, which `npm test` runs first. */
const MAIN = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))
const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 30_000
const LOOK_AGAIN_MS = 25

/** Keys of sluice.yaml; a map is merged into the default one, everything else takes its place. */
export type ConfigOverrides = Readonly<Record<string, unknown>>

export interface RunningProxy {
  readonly pid: number
  readonly port: number
  readonly adminPort: number
  readonly metricsPort: number
  readonly configPath: string
  /** What it has logged so far; a line that is no JSON as `{ raw }`. */
  log(): Record<string, unknown>[]
  /** A client of the account `app`. It is closed after the file's tests. */
  connect(options?: ConnectionOptions): Promise<Connection>
  /** From its run file, so they are known even when the parent has been killed. */
  workerPids(): number[]
  /** Text of `/metrics`. */
  metrics(): Promise<string>
  /** Status code of a path on the metrics port. */
  probe(path: '/healthz' | '/readyz'): Promise<number>
  /** Signals the parent and waits for its end; resolves with its exit status, or null when a signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  /** Waits until the parent has ended by itself; resolves as `stop` does. */
  exited(): Promise<number | null>
  /** `sluice start` with the same file and datadir again, when this parent has ended; resolves when it is ready. */
  startAgain(): Promise<RunningProxy>
}

const started: ProxyProcess[] = []

afterAll(async () => {
  await Promise.all(started.splice(0).map((proxy) => proxy.cleanUp()))
})
process.once('exit', () => {
  for (const proxy of started) proxy.killAll()
})

/**
 * Starts `sluice start` as a process of its own in front of a cluster, and waits until it is ready: primary in hostgroup 0,
 * replicas in hostgroup 1, one worker, quick monitoring. It is ended after the file's tests, whatever they did to it.
 */
export async function startProxy(cluster: Cluster, overrides: ConfigOverrides = {}): Promise<RunningProxy> {
  const [port, adminPort, metricsPort] = await freePorts(3)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-proxy-'))
  const place = { port, adminPort, metricsPort, folder }
  const config = stringify(merge(defaultsFor(cluster, place), overrides))
  writeFileSync(configPathIn(folder), config, { mode: 0o600 })
  return launch(cluster, place)
}

interface Place {
  readonly port: number
  readonly adminPort: number
  readonly metricsPort: number
  /** Of its configuration, log and datadir. */
  readonly folder: string
}

async function launch(cluster: Cluster, place: Place): Promise<RunningProxy> {
  const proxy = new ProxyProcess(cluster, place)
  started.push(proxy)
  await proxy.untilReady()
  return proxy
}

function configPathIn(folder: string): string {
  return join(folder, 'sluice.yaml')
}

/** How a server stands in the configuration, for overrides of `servers`. */
export function serverConfig(server: SandboxServer, more: ConfigOverrides = {}): Record<string, unknown> {
  return { host: server.host, port: server.port, hostgroup: server.role === 'primary' ? 0 : 1, ...more }
}

class ProxyProcess implements RunningProxy {
  readonly port: number
  readonly adminPort: number
  readonly metricsPort: number
  readonly configPath: string
  readonly #cluster: Cluster
  readonly #place: Place
  readonly #folder: string
  readonly #logPath: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown[]>
  readonly #clients: Connection[] = []

  constructor(cluster: Cluster, place: Place) {
    this.#cluster = cluster
    this.#place = place
    this.#folder = place.folder
    this.port = place.port
    this.adminPort = place.adminPort
    this.metricsPort = place.metricsPort
    this.configPath = configPathIn(place.folder)
    this.#logPath = join(place.folder, 'sluice.log')
    const log = openSync(this.#logPath, 'a', 0o600)
    // A process group of its own, so that workers that outlive their parent can be ended too.
    this.#child = spawn(process.execPath, [MAIN, 'start', '--config', this.configPath], {
      stdio: ['ignore', log, log],
      detached: true,
    })
    this.#exited = once(this.#child, 'exit')
  }

  get pid(): number {
    return this.#child.pid!
  }

  log(): Record<string, unknown>[] {
    const lines = readFileSync(this.#logPath, 'utf8').split('\n')
    return lines.filter((line) => line !== '').map(parseLine)
  }

  async connect(options: ConnectionOptions = {}): Promise<Connection> {
    const { user, password } = this.#cluster.accounts.app
    const client = await createConnection({ host: '127.0.0.1', port: this.port, user, password, ...options })
    // A connection that is lost between two statements says so; the test sees it with its next statement.
    client.on('error', () => {})
    this.#clients.push(client)
    return client
  }

  workerPids(): number[] {
    const datadir = join(this.#folder, 'data')
    const runFile = readdirSync(datadir).find((name) => /^run-\w+\.json$/.test(name))
    if (runFile === undefined) return []
    const { workers } = JSON.parse(readFileSync(join(datadir, runFile), 'utf8')) as { workers: { pid: number }[] }
    return workers.map(({ pid }) => pid)
  }

  async metrics(): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text()
  }

  async probe(path: string): Promise<number> {
    return (await fetch(`http://127.0.0.1:${this.metricsPort}${path}`)).status
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.#isRunning()) {
      this.#child.kill(signal)
      const limit = setTimeout(() => this.killAll(), STOP_TIMEOUT_MS)
      await this.#exited
      clearTimeout(limit)
    }
    return this.#child.exitCode
  }

  async exited(): Promise<number | null> {
    await this.#exited
    return this.#child.exitCode
  }

  startAgain(): Promise<RunningProxy> {
    return launch(this.#cluster, this.#place)
  }

  async untilReady(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS
    while (!(await this.#isReady())) {
      const late = performance.now() > deadline
      if (late || !this.#isRunning()) {
        const what = late ? `was not ready within ${START_TIMEOUT_MS} ms` : `ended with ${this.#child.exitCode}`
        throw new Error(`the proxy ${what}; its log:\n${readFileSync(this.#logPath, 'utf8')}`)
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }

  async cleanUp(): Promise<void> {
    for (const client of this.#clients) client.destroy()
    await this.stop()
    this.killAll()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Ends parent and workers at once. */
  killAll(): void {
    try {
      process.kill(-this.pid, 'SIGKILL')
    } catch {
      // All of them have ended.
    }
  }

  #isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await this.probe('/readyz')) === 200
    } catch {
      return false // not listening yet
    }
  }
}

function defaultsFor(cluster: Cluster, place: Place): Record<string, unknown> {
  const { app, monitor } = cluster.accounts
  return {
    listen: `127.0.0.1:${place.port}`,
    workers: 1,
    admin: { listen: `127.0.0.1:${place.adminPort}`, users: { admin: 'admin' } },
    metrics: { listen: `127.0.0.1:${place.metricsPort}` },
    monitor: {
      user: monitor.user,
      password: monitor.password,
      ping_interval: 200,
      read_only_interval: 100,
      replication_lag_interval: 50,
    },
    servers: cluster.servers.map((server) => serverConfig(server)),
    replication_hostgroups: [{ writer: 0, reader: 1 }],
    // Most tests begin sessions right after writes, and are about something else: consistency-commits.test.ts and test/consistency
    // have it on, as it is by default.
    consistency: { new_sessions_see_commits: false },
    users: [{ name: app.user, password: app.password }],
    datadir: join(place.folder, 'data'),
    limits: { shutdown_timeout: 2000 },
  }
}

function merge(defaults: Record<string, unknown>, overrides: ConfigOverrides): Record<string, unknown> {
  const merged = { ...defaults }
  for (const [key, value] of Object.entries(overrides)) {
    merged[key] = isMap(value) && isMap(merged[key]) ? { ...merged[key], ...value } : value
  }
  return merged
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return { raw: line }
  }
}
