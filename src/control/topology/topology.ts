import { type Crowd, crowdedHostgroups, crowdText } from '../../shared/crowded-hostgroups.js'
import type { ServerEntry, ServerId } from '../../shared/snapshot.js'
import { withLatency } from './latency-gates.js'
import { deriveEntries, updateLagGates, updateSlow } from './topology-rows.js'
import type {
  Instant,
  NodeState,
  Observation,
  Observed,
  TopologyEffect,
  TopologyEvent,
  TopologyRules,
  TopologyState,
  TopologyStep,
} from './topology-types.js'
import { doubtedWriters, electWriters, firstWriters, isDown, refusedWriters } from './topology-writer.js'

const UNKNOWN_NODE: NodeState = {
  failures: 0,
  failureReason: '',
  blindReason: '',
  seen: false,
  observedMs: -1,
  readOnly: null,
  writableSinceMs: null,
  wasReadOnly: false,
  replicating: false,
  lagMs: null,
  lagReason: 'not checked yet',
  latencies: [],
}

export function initialTopology(rules: TopologyRules): TopologyState {
  const nodes = new Map(rules.servers.map((server) => [server.id, UNKNOWN_NODE]))
  const state: TopologyState = {
    rules,
    nodes,
    writers: firstWriters(rules),
    lagGates: new Map(),
    slow: new Map(),
    entries: [],
    refused: new Map(),
    crowds: new Map(),
  }
  return { ...state, entries: deriveEntries(state) }
}

/** Takes what the monitor has observed, in its order. What is of a server that is not configured changes nothing. */
export function observe(state: TopologyState, observations: readonly Observed[], now: Instant): TopologyStep {
  const known = observations.filter(({ observation }) => state.nodes.has(observation.server))
  if (known.length === 0) return { state, effects: [] }
  const nodes = new Map(state.nodes)
  let news = false
  for (const { observation, atMs } of known) {
    const node = nodes.get(observation.server)!
    const seen = observed(node, observation, atMs)
    nodes.set(observation.server, seen)
    news ||= !saysNothingNew(state, node, seen)
  }
  return news ? settle(state, { ...state, nodes }, now) : { state: { ...state, nodes }, effects: [] }
}

/**
 * One more failure of a server that was down and is, or that is not down yet: nothing follows from it, and a thousand servers
 * that do not answer must not keep this process busy. Where two servers are writable, every word counts.
 */
function saysNothingNew(state: TopologyState, before: NodeState, after: NodeState): boolean {
  if (after.failures === 0 || before.blindReason !== '' || state.refused.size > 0) return false
  const isDownNow = isDown(after, state.rules)
  if (isDown(before, state.rules) !== isDownNow) return false
  return !isDownNow || before.failureReason === after.failureReason
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

function observed(node: NodeState, observation: Observation, observedMs: number): NodeState {
  switch (observation.kind) {
    case 'failed':
      return { ...node, observedMs, blindReason: '', failures: node.failures + 1, failureReason: observation.reason }
    case 'blind':
      return {
        ...node,
        observedMs,
        failures: 0,
        failureReason: '',
        blindReason: observation.reason,
        lagMs: null,
        lagReason: observation.reason,
      }
    case 'answered':
      return {
        failures: 0,
        failureReason: '',
        blindReason: '',
        seen: true,
        observedMs,
        readOnly: observation.readOnly,
        writableSinceMs: observation.readOnly ? null : (node.writableSinceMs ?? observedMs),
        wasReadOnly: node.wasReadOnly || observation.readOnly,
        replicating: observation.replicating,
        lagMs: observation.lagMs,
        lagReason: observation.lagReason,
        latencies: withLatency(node.latencies, observation.latencyMs),
      }
  }
}

/** From new facts to roles, rows, events and effects. */
function settle(before: TopologyState, changed: TopologyState, now: Instant): TopologyStep {
  const elected = { ...changed, writers: electWriters(changed) }
  const gated = { ...elected, lagGates: updateLagGates(elected, now.monotonicMs) }
  const timed = { ...gated, slow: updateSlow(gated) }
  const refusing = { ...timed, refused: refusedWriters(timed) }
  const derived = deriveEntries(refusing)
  const same = sameEntries(before.entries, derived)
  const entries = same ? before.entries : derived
  const crowds = crowdedHostgroups({ servers: entries, hostgroupAttributes: changed.rules.hostgroupAttributes })
  const changes = [
    ...blindnessChanges(before, refusing),
    ...refusalChanges(before, refusing),
    ...entryChanges(before.entries, entries, refusing),
    ...crowdChanges(before.crowds, crowds),
  ]
  const events = changes.map(({ server, what, why }): TopologyEvent => ({ time: now.dateMs, server, what, why }))
  const effects: TopologyEffect[] = changes.map(({ level }, index) => ({ kind: 'log', level, event: events[index] }))
  const doubtedBefore = doubtedWriters(before)
  for (const server of doubtedWriters(refusing)) {
    if (!doubtedBefore.has(server)) effects.push({ kind: 'check', server })
  }
  if (!same) effects.push({ kind: 'publish' })
  return {
    state: {
      ...refusing,
      entries,
      crowds,
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

/** A monitor that is shut out is the operator's to mend, whatever the server's status. */
function blindnessChanges(before: TopologyState, after: TopologyState): Change[] {
  const changes: Change[] = []
  for (const [server, { blindReason }] of after.nodes) {
    if (blindReason !== '' && (before.nodes.get(server)?.blindReason ?? '') === '') {
      changes.push({ level: 'error', server, what: 'cannot be watched', why: blindReason })
    }
  }
  return changes
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
  if (before === after) return changes
  const [oldOf, freshOf] = [byServer(before), byServer(after)]
  for (const server of new Set([...oldOf.keys(), ...freshOf.keys()])) {
    const old = oldOf.get(server) ?? []
    const fresh = freshOf.get(server) ?? []
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
      if (was === undefined) continue
      if (was.slow !== entry.slow) changes.push(slownessChange(was, entry))
      if (was.status === entry.status) continue
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

function slownessChange(was: ServerEntry, { id, hostgroup, slow }: ServerEntry): Change {
  const where = `in hostgroup ${hostgroup}`
  return slow === undefined
    ? { level: 'info', server: id, what: `no longer slow ${where}`, why: `over: ${was.slow}` }
    : { level: 'warn', server: id, what: `slow ${where}: reads go to others`, why: slow }
}

/** A hostgroup that is not used is the operator's to look at: its servers are ONLINE all the same. */
function crowdChanges(before: ReadonlyMap<number, Crowd>, after: ReadonlyMap<number, Crowd>): Change[] {
  const changes: Change[] = []
  for (const [hostgroup, crowd] of after) {
    if (before.has(hostgroup)) continue
    changes.push({ level: 'error', server: '', what: `hostgroup ${hostgroup} is not used`, why: crowdText(crowd) })
  }
  for (const [hostgroup, crowd] of before) {
    if (after.has(hostgroup)) continue
    const why = `over: ${crowdText(crowd)}`
    changes.push({ level: 'info', server: '', what: `hostgroup ${hostgroup} is used again`, why })
  }
  return changes
}

function byServer(entries: readonly ServerEntry[]): Map<ServerId, ServerEntry[]> {
  const found = new Map<ServerId, ServerEntry[]>()
  for (const entry of entries) {
    const own = found.get(entry.id)
    if (own === undefined) found.set(entry.id, [entry])
    else own.push(entry)
  }
  return found
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
  for (const key in a) if (a[key as keyof ServerEntry] !== b[key as keyof ServerEntry]) return false
  for (const key in b) if (!(key in a)) return false
  return true
}
