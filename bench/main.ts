import { fileURLToPath } from 'node:url'
import { COMPARISONS, isComparison } from './comparisons/comparisons.js'
import { runComparison } from './comparisons/run.js'
import { GeneratorProcesses } from './load/processes.js'
import { runMemorySubject } from './memory/run.js'
import { IDLE_CONNECTIONS, isMemorySubject, type MemorySubject } from './memory/subjects.js'
import { type Options, readOptions } from './options.js'
import { startPeer } from './peers/peer.js'
import { PEERS } from './peers/peers.js'
import { toText } from './report/text.js'
import { writeReport } from './report/write.js'
import { type Log, runSubject } from './run.js'
import { ownSubject, type Subject, sysbenchSubject } from './subject.js'
import { startRawForwarder } from './targets/raw.js'
import { existingServers, MAX_ALLOWED_PACKET, type Servers, startServers } from './targets/servers.js'
import { startSluice } from './targets/sluice.js'
import { existingTarget, type Target } from './targets/target.js'

/** From dist/bench/main.js. */
const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url))
const MAX_CONNECTIONS = 100_000

/** What was started is ended in order when the bench is told to end: the targets go, and the run fails for that. */
const interruption = new AbortController()

const log: Log = (line) => process.stderr.write(`${line}\n`)

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), RESULTS)
  log(`seed ${options.seed}`)
  const generators = new GeneratorProcesses(options.generators)
  onInterruption(() => generators.end())
  let servers: Servers | undefined
  try {
    const subjects = subjectsOf(options, generators)
    servers = await openServers(options, subjects)
    await measureThroughput(subjects, options, servers)
    for (const name of options.workloads.filter(isMemorySubject)) await measureMemory(name, options, servers)
    for (const name of options.workloads.filter(isComparison)) {
      const sluice = sluiceOptions(options, servers)
      process.stdout.write(`\n${await runComparison(name, { options, servers, generators, sluice, log })}`)
    }
  } finally {
    await generators.end()
    await servers?.stop()
  }
}

async function measureThroughput(subjects: readonly Subject[], options: Options, servers: Servers): Promise<void> {
  if (subjects.length === 0) return
  await withTargets(options, servers, async (targets) => {
    for (const subject of subjects) {
      const report = await runSubject(subject, options, servers, targets, log)
      process.stdout.write(`\n${toText(report)}`)
      if (options.out !== null) log(`written: ${writeReport(report, options.out, options.label)}`)
    }
  })
}

/** Memory is measured on fresh processes: what one subject left behind would hide what the next one takes. */
async function measureMemory(name: MemorySubject, options: Options, servers: Servers): Promise<void> {
  await withTargets(options, servers, async (targets) => {
    process.stdout.write(`\n${await runMemorySubject(name, options, servers, targets, log)}`)
  })
}

function subjectsOf(options: Options, generators: GeneratorProcesses): Subject[] {
  const own = options.workloads.filter((name) => !isMemorySubject(name) && !isComparison(name))
  const subjects = own.map((name) => ownSubject(name, options, generators))
  return options.sysbench === undefined ? subjects : [...subjects, sysbenchSubject(options.sysbench, options)]
}

async function openServers(options: Options, subjects: readonly Subject[]): Promise<Servers> {
  const { server, user, password, engine, replicas, workloads } = options
  const monitor = { user: options.monitorUser, password: options.monitorPassword }
  if (server !== undefined) return existingServers(server, { user, password }, monitor)
  const idle = workloads.includes('idle') ? (options.connections ?? IDLE_CONNECTIONS) : 0
  const comparisons = workloads.filter(isComparison).map((name) => COMPARISONS[name])
  const groups = comparisons.flatMap((comparison) => comparison.groups(options))
  // Each of a group's Sluices keeps the connections that it has opened, and the servers take twice what is asked for.
  const ofGroups = groups.map((group) => group.connections * Math.ceil(group.cases.length / 2))
  const connections = Math.max(idle, ...subjects.map((subject) => subject.connections), ...ofGroups)
  const replicasNeeded = Math.max(replicas, ...comparisons.map((comparison) => comparison.replicas))
  return startServers({ engine, replicas: replicasNeeded, connections, onProgress: log, signal: interruption.signal })
}

async function withTargets(
  options: Options,
  servers: Servers,
  use: (targets: readonly Target[]) => Promise<void>,
): Promise<void> {
  const { primary } = servers
  const { signal } = interruption
  const targets: Target[] = []
  try {
    if (options.targets.includes('direct')) targets.push(existingTarget('direct', primary))
    if (options.targets.includes('raw')) targets.push(await startRawForwarder(primary, signal))
    if (options.targets.includes('sluice')) {
      log('starting sluice')
      targets.push(await startSluice(sluiceOptions(options, servers)))
    }
    for (const peer of options.peers.flatMap((name) => PEERS[name])) {
      const { user } = servers
      targets.push(await startPeer(peer, { server: primary, user, threads: options.workers, log, signal }))
    }
    for (const { name, address, pids } of options.against) targets.push(existingTarget(name, address, pids))
    await use(targets)
  } finally {
    for (const target of targets) await target.stop()
  }
}

function sluiceOptions({ workers }: Options, { primary, replicas, user, monitor }: Servers) {
  const limits = { maxAllowedPacket: MAX_ALLOWED_PACKET, maxConnections: MAX_CONNECTIONS }
  return { primary, replicas, user, monitor, workers, ...limits, signal: interruption.signal }
}

function onInterruption(callback: () => Promise<void>): void {
  interruption.signal.addEventListener('abort', () => void callback())
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())
}

main().catch((error: Error) => {
  process.stderr.write(`bench: ${interruption.signal.aborted ? 'interrupted' : error.message}\n`)
  process.exitCode = 1
})
