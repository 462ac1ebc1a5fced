import type { ServerConfig } from '../config/config-schema.js'
import type { NodeState, TopologyState } from './topology-types.js'

/** So many polls in a row must be over the limit, or well below it, before anything changes. */
export const LATENCY_POLLS = 3
/** A server that was over the limit has to come this far below it, or it would come and go. */
export const LATENCY_RECOVERY_RATIO = 0.8

/** A server in one hostgroup. */
export interface LatencyRow {
  /** By `gateKey`. */
  readonly key: string
  readonly row: ServerConfig
  readonly hostgroup: number
  /** A writer is never slow: there is no other. */
  readonly role: 'writer' | 'reader' | null
  /** It is ONLINE there. */
  readonly serves: boolean
}

/** What is remembered of the round trips of the monitor, the newest last. */
export function withLatency(latencies: readonly number[], latencyMs: number | undefined): readonly number[] {
  return latencyMs === undefined ? latencies : [...latencies, latencyMs].slice(-LATENCY_POLLS)
}

/**
 * The places whose servers are slow to answer, by `gateKey`, and why, in words without figures that change with every poll.
 * Reads go elsewhere while there are others; `replicas_min` of a hostgroup stay in use all the same, the quickest ones.
 */
export function slowServers(state: TopologyState, rows: readonly LatencyRow[]): ReadonlyMap<string, string> {
  const slow = new Map<string, string>()
  for (const one of rows) {
    const limitMs = limitOf(state, one.row)
    if (one.role === 'writer' || limitMs === 0) continue
    if (isSlow(state.nodes.get(one.row.id)!, limitMs, state.slow.has(one.key))) {
      slow.set(one.key, `its ping latency is over ${limitMs} ms`)
    }
  }
  if (slow.size > 0) keepInUse(state, rows, slow)
  return slow
}

/** Whether the last round trip took too long. */
export function isOverLimit(state: TopologyState, row: ServerConfig): boolean {
  const limitMs = limitOf(state, row)
  return limitMs > 0 && (state.nodes.get(row.id)!.latencies.at(-1) ?? 0) > limitMs
}

function limitOf({ rules }: TopologyState, { maxLatencyMs = 0 }: ServerConfig): number {
  return maxLatencyMs === 0 ? (rules.defaultMaxLatencyMs ?? 0) : maxLatencyMs
}

function isSlow({ latencies }: NodeState, limitMs: number, wasSlow: boolean): boolean {
  if (latencies.length < LATENCY_POLLS) return wasSlow
  return wasSlow ? Math.max(...latencies) > limitMs * LATENCY_RECOVERY_RATIO : Math.min(...latencies) > limitMs
}

/** Takes those of a hostgroup from the slow ones that `replicas_min` needs. */
function keepInUse(state: TopologyState, rows: readonly LatencyRow[], slow: Map<string, string>): void {
  const least = state.rules.replicasMin ?? 0
  for (const hostgroup of new Set(rows.map((one) => one.hostgroup))) {
    const here = rows.filter((one) => one.hostgroup === hostgroup && one.serves)
    const late = here.filter(({ key }) => slow.has(key)).sort((a, b) => latest(state, a) - latest(state, b))
    for (const { key } of late.slice(0, Math.max(0, least - (here.length - late.length)))) slow.delete(key)
  }
}

function latest({ nodes }: TopologyState, { row }: LatencyRow): number {
  return Math.min(...nodes.get(row.id)!.latencies)
}
