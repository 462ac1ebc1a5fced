import type { ReplicationHostgroup, ServerEntry, ServerId, ServerStatus } from '../../shared/snapshot.js'
import type { ServerConfig } from '../config/config-schema.js'
import { isOverLimit, slowServers } from './latency-gates.js'
import type { LagGate, NodeState, TopologyState } from './topology-types.js'
import { isDown, isWriter } from './topology-writer.js'

/** How long the lag must be under the limit before a replica serves again. */
export const LAG_RECOVERY_MS = 1000
/** A replica that was over the limit has to come this far below it, or it would come and go. */
export const LAG_RECOVERY_RATIO = 0.8

const OPEN: LagGate = { closedBy: '', fineSinceMs: null }

/** One configured server in the hostgroup where it belongs now. */
interface PlacedRow {
  readonly row: ServerConfig
  readonly hostgroup: number
  /** null: the hostgroup is in no replication pair. */
  readonly role: 'writer' | 'reader' | null
}

/** The rows of runtime_mysql_servers, by hostgroup, then in the order of the configuration. */
export function deriveEntries(state: TopologyState): ServerEntry[] {
  const placed = placeRows(state)
  const kept = keptInUse(state, placed)
  return placed.map((row) => entryOf(state, row, kept.has(row)))
}

function entryOf(state: TopologyState, placed: PlacedRow, keep: boolean): ServerEntry {
  const { row, hostgroup } = placed
  const judged = judge(state, placed)
  const { status, reason } = keep ? IN_USE : judged
  return {
    id: row.id,
    hostgroup,
    host: row.host,
    port: row.port,
    status,
    statusReason: reason,
    weight: row.weight,
    maxConnections: row.maxConnections,
    maxReplicationLag: row.maxReplicationLag,
    tls: row.tls,
    proxyProtocol: row.proxyProtocol,
    compression: row.compression,
    comment: row.comment,
    ...(judged.lagging && !keep ? { lagging: true } : {}),
    ...slownessOf(state, placed),
  }
}

function slownessOf(state: TopologyState, { row, hostgroup, role }: PlacedRow): Pick<ServerEntry, 'slow'> {
  const slow = role === 'writer' ? undefined : state.slow.get(gateKey(row.id, hostgroup))
  return slow === undefined ? {} : { slow }
}

export function updateSlow(state: TopologyState): ReadonlyMap<string, string> {
  // Mostly none is: a thousand servers are not placed once more with each poll.
  if (state.slow.size === 0 && !state.rules.servers.some((row) => isOverLimit(state, row))) return state.slow
  const rows = placeRows(state).map((placed) => ({
    ...placed,
    key: gateKey(placed.row.id, placed.hostgroup),
    serves: judge(state, placed).status === 'ONLINE',
  }))
  return slowServers(state, rows)
}

/** Of the replicas of a pair that only their lag keeps from serving, those that `replicas_min` needs, least lag first. */
function keptInUse(state: TopologyState, placed: readonly PlacedRow[]): ReadonlySet<PlacedRow> {
  const kept = new Set<PlacedRow>()
  const least = state.rules.replicasMin ?? 0
  if (least === 0) return kept
  for (const { reader } of state.rules.replicationHostgroups) {
    const rows = placed.filter(({ hostgroup, role }) => role === 'reader' && hostgroup === reader)
    const lagging = rows.filter((row) => judge(state, row).lagging)
    const serving = rows.filter((row) => judge(state, row).status === 'ONLINE').length
    lagging.sort((a, b) => lagOf(state, a) - lagOf(state, b))
    for (const row of lagging.slice(0, Math.max(0, least - serving))) kept.add(row)
  }
  return kept
}

function lagOf(state: TopologyState, { row }: PlacedRow): number {
  return state.nodes.get(row.id)?.lagMs ?? Number.POSITIVE_INFINITY
}

export function updateLagGates(state: TopologyState, nowMs: number): ReadonlyMap<string, LagGate> {
  const gates = new Map<string, LagGate>()
  for (const { row, hostgroup, role } of placeRows(state)) {
    const node = state.nodes.get(row.id)!
    // Nothing new is known of a server that does not answer.
    const before = state.lagGates.get(gateKey(row.id, hostgroup)) ?? OPEN
    const unknown = node.failures > 0 || (!node.seen && node.blindReason === '')
    const after = role === 'writer' || unknown ? before : moveGate(before, row, role, node, nowMs)
    if (role !== 'writer' && after !== OPEN) gates.set(gateKey(row.id, hostgroup), after)
  }
  return gates
}

function moveGate(gate: LagGate, row: ServerConfig, role: 'reader' | null, node: NodeState, nowMs: number): LagGate {
  const trouble = lagTrouble(row, role, node, gate)
  if (trouble !== '') return { closedBy: trouble, fineSinceMs: null }
  if (gate.closedBy === '') return OPEN
  const fineSinceMs = gate.fineSinceMs ?? nowMs
  return nowMs - fineSinceMs >= LAG_RECOVERY_MS ? OPEN : { closedBy: gate.closedBy, fineSinceMs }
}

/** Why the lag forbids reads here; empty when it does not. Texts hold no figures that change with every poll. */
function lagTrouble(row: ServerConfig, role: 'reader' | null, node: NodeState, gate: LagGate): string {
  // Outside replication pairs a server that does not replicate is nobody's replica.
  if (role === null && (!node.replicating || row.maxReplicationLag === 0)) return ''
  if (node.lagMs === null) return node.lagReason
  const limitMs = row.maxReplicationLag * 1000 * (gate.closedBy === '' ? 1 : LAG_RECOVERY_RATIO)
  const overLimit = row.maxReplicationLag > 0 && node.lagMs > limitMs
  return overLimit ? `replication lag is over ${row.maxReplicationLag} s` : ''
}

interface Judged {
  readonly status: ServerStatus
  readonly reason: string
  /** Its lag, which is known, is all that is against it. */
  readonly lagging: boolean
}

const IN_USE: Judged = { status: 'ONLINE', reason: '', lagging: false }

function judge(state: TopologyState, { row, hostgroup, role }: PlacedRow): Judged {
  const node = state.nodes.get(row.id)!
  if (row.status !== 'ONLINE') return { status: row.status, reason: 'configured', lagging: false }
  if (row.maxConnections === 0) return { status: 'OFFLINE_SOFT', reason: 'max_connections is 0', lagging: false }
  if (isDown(node, state.rules)) return shunned(`does not answer: ${node.failureReason}`)
  if (role === 'writer') return IN_USE
  const refusal = role === 'reader' ? state.refused.get(row.id) : undefined
  // A writable server that replicates is a replica without read_only; one that does not may hold other data.
  if (refusal !== undefined && !node.replicating) return shunned(refusal)
  const gate = state.lagGates.get(gateKey(row.id, hostgroup)) ?? OPEN
  if (gate.closedBy === '') return IN_USE
  return { ...shunned(gate.closedBy), lagging: role === 'reader' && node.lagMs !== null }
}

function shunned(reason: string): Judged {
  return { status: 'SHUNNED', reason, lagging: false }
}

function placeRows(state: TopologyState): PlacedRow[] {
  const { servers, replicationHostgroups } = state.rules
  const paired = new Set(replicationHostgroups.flatMap(({ writer, reader }) => [writer, reader]))
  const rows: PlacedRow[] = servers
    .filter((row) => !paired.has(row.hostgroup))
    .map((row) => ({ row, hostgroup: row.hostgroup, role: null }))
  for (const pair of replicationHostgroups) rows.push(...placePair(state, pair))
  const placeOf = new Map(servers.map((row, index) => [row, index]))
  return rows.sort((a, b) => a.hostgroup - b.hostgroup || placeOf.get(a.row)! - placeOf.get(b.row)!)
}

/** Each server of a pair is in one of its two hostgroups; its row there, or else its only row, travels with it. */
function placePair(state: TopologyState, pair: ReplicationHostgroup): PlacedRow[] {
  const rows = state.rules.servers.filter((row) => row.hostgroup === pair.writer || row.hostgroup === pair.reader)
  const byId = new Map<ServerId, ServerConfig[]>()
  for (const row of rows) byId.set(row.id, [...(byId.get(row.id) ?? []), row])
  return [...byId].map(([id, own]): PlacedRow => {
    const role = isWriter(state, pair, id) ? 'writer' : 'reader'
    const hostgroup = pair[role]
    return { row: own.find((row) => row.hostgroup === hostgroup) ?? own[0], hostgroup, role }
  })
}

function gateKey(server: ServerId, hostgroup: number): string {
  return `${hostgroup} ${server}`
}
