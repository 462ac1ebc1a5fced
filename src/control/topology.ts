import type { ReplicationHostgroup, ServerEntry, ServerId } from '../shared/snapshot.js'
import type { ServerConfig } from './config-schema.js'
import { deriveEntries, type LagGate, updateLagGates } from './topology-rows.js'
import { electWriters, firstWriters, refusedWriters } from './topology-writer.js'

/**
 * Which server is in which hostgroup, and may it be used: a pure function of what was configured and what was seen.
 * Semantics are those of ProxySQL's replication hostgroups (read_only=0: writer hostgroup, read_only=1: reader
 * hostgroup, a server that does not answer keeps its place), with one difference: a writer hostgroup never holds two
 * servers. A second writable server is refused until the one that has the role is read-only or out of reach.
 */
export interface TopologyState {
  readonly rules: TopologyRules
  readonly nodes: ReadonlyMap<ServerId, NodeState>
  /** Last holder of each writer hostgroup, by writer hostgroup. It is in the hostgroup while it is not read-only. */
  readonly writers: ReadonlyMap<number, ServerId>
  /** By `rowKey`. */
  readonly lagGates: ReadonlyMap<string, LagGate>
  readonly entries: readonly ServerEntry[]
  /** Writable servers that are refused as a second writer. */
  readonly refused: ReadonlyMap<ServerId, string>
  /** Oldest first, at most `EVENTS_MAX`. */
  readonly events: readonly TopologyEvent[]
}

export interface TopologyRules {
  readonly servers: readonly ServerConfig[]
  readonly replicationHostgroups: readonly ReplicationHostgroup[]
  /** So many failed checks in a row make a server unreachable; at least 1. */
  readonly maxFailures: number
}

/** What is known of one server. */
export interface NodeState {
  /** Failed checks in a row. */
  readonly failures: number
  readonly failureReason: string
  /** Whether it answered at least once since this process started. */
  readonly seen: boolean
  /** Last known; null: never seen. */
  readonly readOnly: boolean | null
  /** Whether it was seen with read_only=1 at least once: being writable now is somebody's decision. */
  readonly wasReadOnly: boolean
  /** Whether a replication channel is configured there. */
  readonly replicating: boolean
  /** null: unknown or broken, `lagReason` says why. */
  readonly lagMs: number | null
  readonly lagReason: string
}

export type Observation =
  | {
      readonly kind: 'answered'
      readonly server: ServerId
      readonly readOnly: boolean
      readonly replicating: boolean
      readonly lagMs: number | null
      readonly lagReason: string
    }
  /** The server is there but does not let the monitor look: it keeps its role, its lag is not known. */
  | { readonly kind: 'blind'; readonly server: ServerId; readonly reason: string }
  | { readonly kind: 'failed'; readonly server: ServerId; readonly reason: string }

export interface Instant {
  /** For durations. */
  readonly monotonicMs: number
  /** For people: milliseconds since 1970. */
  readonly dateMs: number
}

export interface TopologyEvent {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly server: ServerId
  readonly what: string
  readonly why: string
}

export type TopologyEffect =
  | { readonly kind: 'publish' }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly event: TopologyEvent }

export interface TopologyStep {
  readonly state: TopologyState
  readonly effects: readonly TopologyEffect[]
}

const EVENTS_MAX = 1000

const UNKNOWN_NODE: NodeState = {
  failures: 0,
  failureReason: '',
  seen: false,
  readOnly: null,
  wasReadOnly: false,
  replicating: false,
  lagMs: null,
  lagReason: 'not checked yet',
}

export function initialTopology(rules: TopologyRules): TopologyState {
  const nodes = new Map(rules.servers.map((server) => [server.id, UNKNOWN_NODE]))
  const state: TopologyState = {
    rules,
    nodes,
    writers: firstWriters(rules),
    lagGates: new Map(),
    entries: [],
    refused: new Map(),
    events: [],
  }
  return { ...state, entries: deriveEntries(state) }
}

/** Takes one observation of the monitor. One of a server that is not configured changes nothing. */
export function observe(state: TopologyState, observation: Observation, now: Instant): TopologyStep {
  const node = state.nodes.get(observation.server)
  if (node === undefined) return { state, effects: [] }
  const nodes = new Map(state.nodes).set(observation.server, observed(node, observation))
  return settle(state, { ...state, nodes }, now)
}

/** Takes new rules. Servers that stay keep what is known of them, writers their role. */
export function reconfigure(state: TopologyState, rules: TopologyRules, now: Instant): TopologyStep {
  const nodes = new Map(rules.servers.map(({ id }) => [id, state.nodes.get(id) ?? UNKNOWN_NODE]))
  const writers = new Map(firstWriters(rules))
  for (const { writer, reader } of rules.replicationHostgroups) {
    const holder = state.writers.get(writer)
    const stays = rules.servers.some(
      (row) => row.id === holder && (row.hostgroup === writer || row.hostgroup === reader),
    )
    if (holder !== undefined && stays) writers.set(writer, holder)
  }
  return settle(state, { ...state, rules, nodes, writers }, now)
}

function observed(node: NodeState, observation: Observation): NodeState {
  switch (observation.kind) {
    case 'failed':
      return { ...node, failures: node.failures + 1, failureReason: observation.reason }
    case 'blind':
      return { ...node, failures: 0, failureReason: '', lagMs: null, lagReason: observation.reason }
    case 'answered':
      return {
        failures: 0,
        failureReason: '',
        seen: true,
        readOnly: observation.readOnly,
        wasReadOnly: node.wasReadOnly || observation.readOnly,
        replicating: observation.replicating,
        lagMs: observation.lagMs,
        lagReason: observation.lagReason,
      }
  }
}

/** From new facts to roles, rows, events and effects. */
function settle(before: TopologyState, changed: TopologyState, now: Instant): TopologyStep {
  const elected = { ...changed, writers: electWriters(changed) }
  const gated = { ...elected, lagGates: updateLagGates(elected, now.monotonicMs) }
  const refusing = { ...gated, refused: refusedWriters(gated) }
  const entries = deriveEntries(refusing)
  const changes = [...refusalChanges(before, refusing), ...entryChanges(before.entries, entries, refusing)]
  const events = changes.map(({ server, what, why }): TopologyEvent => ({ time: now.dateMs, server, what, why }))
  const effects: TopologyEffect[] = changes.map(({ level }, index) => ({ kind: 'log', level, event: events[index] }))
  const same = sameEntries(before.entries, entries)
  if (!same) effects.push({ kind: 'publish' })
  return {
    state: {
      ...refusing,
      entries: same ? before.entries : entries,
      events: events.length === 0 ? before.events : [...before.events, ...events].slice(-EVENTS_MAX),
    },
    effects,
  }
}

interface Change {
  readonly level: 'info' | 'warn' | 'error'
  readonly server: ServerId
  readonly what: string
  readonly why: string
}

function refusalChanges(before: TopologyState, after: TopologyState): Change[] {
  const changes: Change[] = []
  for (const [server, why] of after.refused) {
    if (!before.refused.has(server)) changes.push({ level: 'error', server, what: 'refused as a second writer', why })
  }
  for (const server of before.refused.keys()) {
    if (after.refused.has(server)) continue
    changes.push({
      level: 'info',
      server,
      what: 'no longer refused as a second writer',
      why: roleReason(after, server),
    })
  }
  return changes
}

function entryChanges(before: readonly ServerEntry[], after: readonly ServerEntry[], state: TopologyState): Change[] {
  const changes: Change[] = []
  for (const server of new Set([...before, ...after].map((entry) => entry.id))) {
    const old = before.filter((entry) => entry.id === server)
    const fresh = after.filter((entry) => entry.id === server)
    const from = hostgroupsOf(old)
    const to = hostgroupsOf(fresh)
    if (from !== to) {
      const what = from === '' ? `added to ${to}` : to === '' ? `removed from ${from}` : `moved from ${from} to ${to}`
      const configured = from === '' || to === ''
      changes.push({ level: 'warn', server, what, why: configured ? 'configuration' : roleReason(state, server) })
    }
    for (const entry of fresh) {
      // A server has one row per hostgroup; one that moved is compared with the row it had.
      const was = old.find((row) => row.hostgroup === entry.hostgroup) ?? old.at(0)
      if (was === undefined || was.status === entry.status) continue
      const better = entry.status === 'ONLINE'
      changes.push({
        level: better ? 'info' : 'warn',
        server,
        what: `${was.status} -> ${entry.status} in hostgroup ${entry.hostgroup}`,
        why: better ? `over: ${was.statusReason}` : entry.statusReason,
      })
    }
  }
  return changes
}

function hostgroupsOf(entries: readonly ServerEntry[]): string {
  const numbers = entries.map((entry) => entry.hostgroup).sort((a, b) => a - b)
  return numbers.length === 0 ? '' : `hostgroup ${numbers.join(', ')}`
}

function roleReason(state: TopologyState, server: ServerId): string {
  const node = state.nodes.get(server)
  if (node === undefined) return 'configuration'
  return node.readOnly === null ? 'read_only is not known' : `read_only = ${node.readOnly ? 1 : 0}`
}

function sameEntries(a: readonly ServerEntry[], b: readonly ServerEntry[]): boolean {
  return a.length === b.length && a.every((entry, index) => sameEntry(entry, b[index]))
}

function sameEntry(a: ServerEntry, b: ServerEntry): boolean {
  for (const key of Object.keys(a) as (keyof ServerEntry)[]) if (a[key] !== b[key]) return false
  return true
}
