import { fileURLToPath } from 'node:url'
import { type Options, readOptions } from './options.js'
import { toText } from './report/text.js'
import { writeReport } from './report/write.js'
import { type Log, runWorkload } from './run.js'
import { startRawForwarder } from './targets/raw.js'
import { existingServers, MAX_ALLOWED_PACKET, type Servers, startServers } from './targets/servers.js'
import { startSluice } from './targets/sluice.js'
import { existingTarget, type Target } from './targets/target.js'
import { workloadByName } from './workloads/index.js'

/** From dist/bench/main.js. */
const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))
const MAX_CONNECTIONS = 100_000

const log: Log = (line) => process.stderr.write(`${line}\n`)

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), RESULTS)
  log(`seed ${options.seed}`)
  const servers = await openServers(options)
  const targets: Target[] = []
  try {
    await openTargets(options, servers, targets)
    for (const workload of options.workloads) {
      const report = await runWorkload(workload, options, servers, targets, log)
      process.stdout.write(`\n${toText(report)}`)
      if (options.out !== null) log(`written: ${writeReport(report, options.out, options.label)}`)
    }
  } finally {
    for (const target of targets) await target.stop()
    await servers.stop()
  }
}

async function openServers(options: Options): Promise<Servers> {
  const { server, user, password, engine, replicas } = options
  if (server !== undefined) return existingServers(server, { user, password })
  const connections = Math.max(
    ...options.workloads.map((name) => options.connections ?? workloadByName(name).defaultConnections),
  )
  return startServers({ engine, replicas, connections, onProgress: log })
}

/** Fills `targets`, so that those already started are known where a later one fails. */
async function openTargets(options: Options, servers: Servers, targets: Target[]): Promise<void> {
  const { primary, replicas, user, monitor } = servers
  if (options.targets.includes('direct')) targets.push(existingTarget('direct', primary))
  if (options.targets.includes('raw')) targets.push(await startRawForwarder(primary))
  if (options.targets.includes('sluice')) {
    log('starting sluice')
    const { workers } = options
    const limits = { maxAllowedPacket: MAX_ALLOWED_PACKET, maxConnections: MAX_CONNECTIONS }
    targets.push(await startSluice({ primary, replicas, user, monitor, workers, ...limits }))
  }
  for (const { name, address, pids } of options.against) targets.push(existingTarget(name, address, pids))
}

main().catch((error: Error) => {
  process.stderr.write(`bench: ${error.message}\n`)
  process.exitCode = 1
})
