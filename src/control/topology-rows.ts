import type { ReplicationHostgroup, ServerEntry, ServerId, ServerStatus } from '../shared/snapshot.js'
import type { ServerConfig } from './config-schema.js'
import type { LagGate, NodeState, TopologyState } from './topology-types.js'
import { isDown, isWriter } from './topology-writer.js'

/** How long the lag must be under the limit before a replica serves again. */
export const LAG_RECOVERY_MS = 1000

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
  return placeRows(state).map((placed) => {
    const { row, hostgroup } = placed
    const { status, reason } = judge(state, placed)
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
    }
  })
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
  const trouble = lagTrouble(row, role, node)
  if (trouble !== '') return { closedBy: trouble, fineSinceMs: null }
  if (gate.closedBy === '') return OPEN
  const fineSinceMs = gate.fineSinceMs ?? nowMs
  return nowMs - fineSinceMs >= LAG_RECOVERY_MS ? OPEN : { closedBy: gate.closedBy, fineSinceMs }
}

/** Why the lag forbids reads here; empty when it does not. Texts hold no figures that change with every poll. */
function lagTrouble(row: ServerConfig, role: 'reader' | null, node: NodeState): string {
  // Outside replication pairs a server that does not replicate is nobody's replica.
  if (role === null && (!node.replicating || row.maxReplicationLag === 0)) return ''
  if (node.lagMs === null) return node.lagReason
  const overLimit = row.maxReplicationLag > 0 && node.lagMs > row.maxReplicationLag * 1000
  return overLimit ? `replication lag is over ${row.maxReplicationLag} s` : ''
}

function judge(state: TopologyState, { row, hostgroup, role }: PlacedRow): { status: ServerStatus; reason: string } {
  const node = state.nodes.get(row.id)!
  if (row.status !== 'ONLINE') return { status: row.status, reason: 'configured' }
  if (isDown(node, state.rules)) return { status: 'SHUNNED', reason: `does not answer: ${node.failureReason}` }
  if (role === 'writer') return { status: 'ONLINE', reason: '' }
  const refusal = role === 'reader' ? state.refused.get(row.id) : undefined
  // A writable server that replicates is a replica without read_only; one that does not may hold other data.
  if (refusal !== undefined && !node.replicating) return { status: 'SHUNNED', reason: refusal }
  const gate = state.lagGates.get(gateKey(row.id, hostgroup)) ?? OPEN
  return gate.closedBy === '' ? { status: 'ONLINE', reason: '' } : { status: 'SHUNNED', reason: gate.closedBy }
}

function placeRows(state: TopologyState): PlacedRow[] {
  const { servers, replicationHostgroups } = state.rules
  const paired = new Set(replicationHostgroups.flatMap(({ writer, reader }) => [writer, reader]))
  const rows: PlacedRow[] = servers
    .filter((row) => !paired.has(row.hostgroup))
    .map((row) => ({ row, hostgroup: row.hostgroup, role: null }))
  for (const pair of replicationHostgroups) rows.push(...placePair(state, pair))
  return rows.sort((a, b) => a.hostgroup - b.hostgroup || servers.indexOf(a.row) - servers.indexOf(b.row))
}

/** Each server of a pair is in one of its two hostgroups; its row there, or else its only row, travels with it. */
function placePair(state: TopologyState, pair: ReplicationHostgroup): PlacedRow[] {
  const rows = state.rules.servers.filter((row) => row.hostgroup === pair.writer || row.hostgroup === pair.reader)
  return [...new Set(rows.map((row) => row.id))].map((id): PlacedRow => {
    const own = rows.filter((row) => row.id === id)
    const role = isWriter(state, pair, id) ? 'writer' : 'reader'
    const hostgroup = pair[role]
    return { row: own.find((row) => row.hostgroup === hostgroup) ?? own[0], hostgroup, role }
  })
}

function gateKey(server: ServerId, hostgroup: number): string {
  return `${hostgroup} ${server}`
}
