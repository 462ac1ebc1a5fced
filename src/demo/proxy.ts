import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { Cluster } from '../sandbox/index.js'

/** The proxy of the demo: a process of its own, started as a user would start it. */
export interface DemoProxy {
  readonly port: number
  readonly adminPort: number
  readonly metricsPort: number
  readonly logFile: string
  /** Resolves when the process has ended. */
  readonly exited: Promise<unknown>
  /** Throws with the last lines of the log when the proxy has ended by itself. */
  assertRunning(): void
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 20_000
const LOOK_AGAIN_MS = 50
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url))

/** Writes a configuration for the cluster, starts the proxy with it, and waits until it is ready. */
export async function startProxy(cluster: Cluster, folder: string, signal: AbortSignal): Promise<DemoProxy> {
  const [port, adminPort, metricsPort] = await freePorts([6033, 6032, 6070])
  const config = join(folder, 'sluice.yaml')
  const logFile = join(folder, 'sluice.log')
  await writeFile(config, configuration(cluster, folder, port, adminPort, metricsPort), { mode: 0o600 })
  const log = openSync(logFile, 'a', 0o600)
  // Its own process group: Ctrl-C in the terminal is the demo's to deal with, in the right order.
  const child = spawn(process.execPath, [MAIN, 'start', '--config', config], {
    stdio: ['ignore', log, log],
    detached: true,
  })
  const exited = once(child, 'exit')
  const assertRunning = (): void => {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the proxy has ended; its log: ${logFile}`)
  }
  try {
    await untilReady(metricsPort, assertRunning, signal)
  } catch (error) {
    await end(child, exited)
    throw new Error(`${(error as Error).message}\n${await readFile(logFile, 'utf8')}`)
  }
  return { port, adminPort, metricsPort, logFile, exited, assertRunning, stop: () => end(child, exited) }
}

async function end(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const limit = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await exited
  clearTimeout(limit)
}

function configuration(cluster: Cluster, folder: string, port: number, adminPort: number, metricsPort: number): string {
  const { app, monitor } = cluster.accounts
  return stringify({
    listen: `127.0.0.1:${port}`,
    workers: 1,
    admin: { listen: `127.0.0.1:${adminPort}`, users: { admin: 'admin' } },
    metrics: { listen: `127.0.0.1:${metricsPort}` },
    monitor: { user: monitor.user, password: monitor.password },
    servers: cluster.servers.map((server) => ({
      host: server.host,
      port: server.port,
      hostgroup: server.role === 'primary' ? 0 : 1,
      max_replication_lag: 10,
    })),
    replication_hostgroups: [{ writer: 0, reader: 1 }],
    users: [{ name: app.user, password: app.password }],
    datadir: join(folder, 'data'),
  })
}

async function untilReady(metricsPort: number, assertRunning: () => void, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    signal.throwIfAborted()
    assertRunning()
    try {
      const response = await fetch(`http://127.0.0.1:${metricsPort}/readyz`)
      if (response.ok) return
    } catch {
      // Not listening yet.
    }
    if (performance.now() > deadline) throw new Error(`the proxy was not ready within ${START_TIMEOUT_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}

/** The ports that people know, where they are free; others where not. */
async function freePorts(wanted: readonly number[]): Promise<number[]> {
  const found: number[] = []
  for (const port of wanted) found.push((await isFree(port)) ? port : await anyFree())
  return found
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function anyFree(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
