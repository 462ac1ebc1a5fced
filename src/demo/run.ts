import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Cluster, type Engine, progressPrinter, SandboxError, startCluster } from '../sandbox/index.js'
import { clientCommand } from './client.js'
import { type DemoProxy, startProxy } from './proxy.js'
import { type Reading, readMetrics, type ServerSample, sampleServer } from './sample.js'
import { plainLine, table, workloadLine } from './view.js'
import { startWorkload, type Workload } from './workload.js'

export interface DemoOptions {
  /** null: until Ctrl-C. */
  readonly durationMs: number | null
  readonly workload: boolean
  readonly engine: Engine
  readonly replicas: number
  readonly json: boolean
  readonly mysqld?: string | undefined
}

const SAMPLE_MS = 1_000
const EXIT_FAILURE = 1

/** Runs the demo to its end and cleans up whatever it started, also when only part of it came up. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const end = new AbortController()
  const stop = (): void => end.abort(new Error('stopped'))
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  const folder = await mkdtemp(join(tmpdir(), 'sluice-demo-'))
  const parts: { cluster?: Cluster; proxy?: DemoProxy; workload?: Workload } = {}
  try {
    parts.cluster = await startCluster({
      engine: options.engine,
      replicas: options.replicas,
      mysqld: options.mysqld,
      progress: progressPrinter(process.stderr),
      signal: end.signal,
    })
    parts.proxy = await startProxy(parts.cluster, folder, end.signal)
    announce(options, parts.cluster, parts.proxy, await clientCommand(parts.cluster, folder))
    if (options.workload)
      parts.workload = await startWorkload({ port: parts.proxy.port, ...parts.cluster.accounts.app })
    if (options.durationMs !== null) void setTimeout(options.durationMs, undefined, { ref: false }).then(stop)
    await show(options, parts.cluster, parts.proxy, parts.workload ?? null, end.signal)
    return 0
  } catch (error) {
    if (end.signal.aborted) return 0
    const text = error instanceof SandboxError ? error.message : ((error as Error).stack ?? String(error))
    process.stderr.write(`sluice demo: ${text}\n`)
    return EXIT_FAILURE
  } finally {
    process.stderr.write('ending: workload, proxy, servers\n')
    await parts.workload?.stop()
    await parts.proxy?.stop()
    await parts.cluster?.down()
    await rm(folder, { recursive: true, force: true })
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

function announce({ json }: DemoOptions, cluster: Cluster, proxy: DemoProxy, client: string): void {
  const { app } = cluster.accounts
  const connect = `${client} -h127.0.0.1 -P${proxy.port} -u${app.user} -p${app.password} demo`
  if (json) {
    const servers = cluster.servers.map(({ name, port }) => ({ name, port }))
    return print(
      JSON.stringify({
        event: 'ready',
        engine: cluster.engine,
        version: cluster.version,
        port: proxy.port,
        adminPort: proxy.adminPort,
        metricsPort: proxy.metricsPort,
        connect,
        servers,
      }),
    )
  }
  const servers = cluster.servers.map(({ name, port }) => `${name} on port ${port}`).join(', ')
  print('')
  print(`Sluice is in front of ${cluster.engine} ${cluster.version}: ${servers}.`)
  print('')
  print(`  Connect:  ${connect}`)
  print(
    `  Admin:    ${client} -h127.0.0.1 -P${proxy.adminPort} -uadmin -padmin -e 'SELECT * FROM stats_mysql_connection_pool'`,
  )
  print(`  Metrics:  http://127.0.0.1:${proxy.metricsPort}/metrics`)
  print(`  Log:      ${proxy.logFile}`)
  print('')
  print('Try `SELECT @@port` and `BEGIN; SELECT @@port` - or kill a server and watch. Ctrl-C ends everything.')
  print('')
}

async function show(
  options: DemoOptions,
  cluster: Cluster,
  proxy: DemoProxy,
  workload: Workload | null,
  signal: AbortSignal,
): Promise<void> {
  let before: Reading = await readMetrics(proxy.metricsPort)
  let beforeAt = performance.now()
  let drawn = 0
  while (!signal.aborted) {
    await Promise.race([setTimeout(SAMPLE_MS, undefined, { signal }).catch(() => {}), proxy.exited])
    if (signal.aborted) return
    proxy.assertRunning()
    const now = await readMetrics(proxy.metricsPort)
    const at = performance.now()
    const samples = cluster.servers.map(({ name, port }) =>
      sampleServer(`127.0.0.1:${port}`, name, now, before, (at - beforeAt) / 1000),
    )
    before = now
    beforeAt = at
    drawn = draw(options, samples, workload, drawn)
  }
}

/** @returns how many lines the next drawing replaces. */
function draw(
  { json }: DemoOptions,
  samples: readonly ServerSample[],
  workload: Workload | null,
  drawn: number,
): number {
  if (json) {
    print(JSON.stringify({ event: 'sample', servers: samples, workload: workload?.counters ?? null }))
    return 0
  }
  if (!process.stdout.isTTY) {
    print(plainLine(samples, workload?.counters ?? null))
    return 0
  }
  const lines = [...table(samples), ...(workload === null ? [] : ['', workloadLine(workload.counters)])]
  if (drawn > 0) process.stdout.write(`\x1b[${drawn}A\x1b[J`)
  for (const line of lines) print(line.slice(0, process.stdout.columns))
  return lines.length
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
