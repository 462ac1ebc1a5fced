import {
  type DryRunCount,
  type GlobalCounters,
  type LatencyCounters,
  type LearnedDigest,
  newGlobalCounters,
  newLatencyCounters,
  newServerCounters,
  QUERY_CLASSES,
  type ServerCounters,
  type WorkerCounters,
} from '../../shared/counters.js'

const SERVER_TOTALS = ['connOk', 'connErr', 'bytesSent', 'bytesReceived', 'queriesGtidSync'] as const
const SERVER_GAUGES = ['connUsed', 'connFree'] as const
const GLOBAL_GAUGES: readonly (keyof GlobalCounters)[] = [
  'clientConnectionsConnected',
  'stmtClientActiveTotal',
  'stmtClientActiveUnique',
  'stmtServerActiveTotal',
  'stmtServerActiveUnique',
  'stmtCached',
  'stmtTextBytes',
  'queryCacheEntries',
  'queryCacheMemoryBytes',
  'digestsKnown',
  'digestBytes',
  'digestRows',
]

export function noCounters(): WorkerCounters {
  return mergeCounters([])
}

/**
 * Sums counters of several workers. Of maxima the latency's is the largest; `maxConnUsed` is the sum, an upper bound of
 * what all had open at once.
 */
export function mergeCounters(parts: readonly WorkerCounters[]): WorkerCounters {
  const global = newGlobalCounters()
  const servers = new Map<string, ServerCounters>()
  const proxyErrors: Record<string, number> = {}
  const digests = new Map<string, LearnedDigest>()
  const commands: Record<string, LatencyCounters> = {}
  const dryRun = new Map<string, DryRunCount>()
  let residentBytes = 0
  let cpuUs = 0
  let cpuSystemUs = 0
  let sessionsInTransaction = 0
  let sessionsBusy = 0
  for (const part of parts) {
    for (const key of Object.keys(global) as (keyof GlobalCounters)[]) global[key] += part.global[key]
    for (const server of part.servers) addServer(servers, server)
    for (const [code, count] of Object.entries(part.proxyErrors)) proxyErrors[code] = (proxyErrors[code] ?? 0) + count
    for (const learned of part.learnedDigests ?? []) addLearned(digests, learned)
    for (const [name, one] of Object.entries(part.commands ?? {})) {
      commands[name] ??= newLatencyCounters()
      addLatency(commands[name], one)
    }
    for (const counted of part.dryRun ?? []) addDryRun(dryRun, counted)
    residentBytes += part.residentBytes
    cpuUs += part.cpuUs
    cpuSystemUs += part.cpuSystemUs ?? 0
    sessionsInTransaction += part.sessionsInTransaction ?? 0
    sessionsBusy += part.sessionsBusy ?? 0
  }
  const learnedDigests = [...digests.values()]
  return {
    global,
    servers: [...servers.values()],
    proxyErrors,
    learnedDigests,
    dryRun: [...dryRun.values()],
    commands,
    residentBytes,
    cpuUs,
    cpuSystemUs,
    sessionsInTransaction,
    sessionsBusy,
  }
}

/** What remains of a worker that has ended: its totals. Its connections and its memory are gone. */
export function retireCounters(counters: WorkerCounters): WorkerCounters {
  const retired = mergeCounters([counters])
  for (const key of GLOBAL_GAUGES) retired.global[key] = 0
  for (const server of retired.servers) {
    for (const key of SERVER_GAUGES) server[key] = 0
    server.maxConnUsed = 0
  }
  // The worker that replaces it learns anew.
  return { ...retired, learnedDigests: [], residentBytes: 0, sessionsInTransaction: 0, sessionsBusy: 0 }
}

function addServer(into: Map<string, ServerCounters>, from: ServerCounters): void {
  const key = `${from.hostgroup} ${from.server}`
  let sum = into.get(key)
  if (sum === undefined) {
    sum = newServerCounters(from.server, from.hostgroup)
    into.set(key, sum)
  }
  for (const total of SERVER_TOTALS) sum[total] += from[total]
  for (const gauge of SERVER_GAUGES) sum[gauge] += from[gauge]
  sum.maxConnUsed += from.maxConnUsed
  for (const queryClass of QUERY_CLASSES) addLatency(sum.byClass[queryClass], from.byClass[queryClass])
}

function addLearned(into: Map<string, LearnedDigest>, learned: LearnedDigest): void {
  const sum = into.get(learned.digest)
  if (sum === undefined) {
    into.set(learned.digest, learned)
    return
  }
  const latest = learned.lastSeen > sum.lastSeen ? learned : sum
  const firstSeen = Math.min(sum.firstSeen, learned.firstSeen)
  into.set(learned.digest, { ...latest, firstSeen, count: sum.count + learned.count })
}

function addDryRun(into: Map<string, DryRunCount>, counted: DryRunCount): void {
  const key = `${counted.user}\n${counted.place}\n${counted.reason}`
  into.set(key, { ...counted, count: counted.count + (into.get(key)?.count ?? 0) })
}

function addLatency(into: LatencyCounters, from: LatencyCounters): void {
  into.queries += from.queries
  into.errors += from.errors
  into.sumUs += from.sumUs
  into.maxUs = Math.max(into.maxUs, from.maxUs)
  for (let bucket = 0; bucket < into.buckets.length; bucket++) into.buckets[bucket] += from.buckets[bucket] ?? 0
}
