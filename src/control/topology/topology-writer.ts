import type { ReplicationHostgroup, ServerId } from '../../shared/snapshot.js'
import type { ServerConfig } from '../config/config-schema.js'
import type { NodeState, TopologyRules, TopologyState } from './topology-types.js'

/** The servers of a replication pair in the order of the configuration; OFFLINE_HARD ones are as good as removed. */
export function membersOf(rules: TopologyRules, { writer, reader }: ReplicationHostgroup): ServerId[] {
  const rows = rules.servers.filter((row) => row.hostgroup === writer || row.hostgroup === reader)
  return [...new Set(rows.filter((row) => row.status !== 'OFFLINE_HARD').map((row) => row.id))]
}

/** Before anything is seen: the first server that the configuration puts into the writer hostgroup. */
export function firstWriters(rules: TopologyRules): ReadonlyMap<number, ServerId> {
  const writers = new Map<number, ServerId>()
  for (const pair of rules.replicationHostgroups) {
    const members = new Set(membersOf(rules, pair))
    const first = rules.servers.find((row) => row.hostgroup === pair.writer && members.has(row.id))
    if (first !== undefined) writers.set(pair.writer, first.id)
  }
  return writers
}

/** Whether `server` has the role of its pair's writer now. */
export function isWriter(state: TopologyState, pair: ReplicationHostgroup, server: ServerId): boolean {
  return state.writers.get(pair.writer) === server && state.nodes.get(server)?.readOnly !== true
}

export function isDown(node: NodeState, rules: TopologyRules): boolean {
  return node.failures >= rules.maxFailures
}

export function electWriters(state: TopologyState): ReadonlyMap<number, ServerId> {
  let writers = state.writers
  for (const pair of state.rules.replicationHostgroups) {
    const holder = writers.get(pair.writer)
    const elected = electWriter(state, pair, holder)
    if (elected !== undefined && elected !== holder) writers = new Map(writers).set(pair.writer, elected)
  }
  return writers
}

/**
 * The holder stays unless it is read-only, out of reach or removed, and somebody else may follow it. A server that is
 * writable though it still replicates, and that was never seen read-only, is most likely a replica on which somebody
 * forgot read_only=1: taking it for the writer when the primary dies would split the data.
 */
function electWriter(state: TopologyState, pair: ReplicationHostgroup, holder: ServerId | undefined) {
  const members = membersOf(state.rules, pair)
  const node = (id: ServerId): NodeState => state.nodes.get(id)!
  const held = holder !== undefined && members.includes(holder) ? node(holder) : null
  if (held !== null && held.readOnly !== true && !isDown(held, state.rules)) return holder

  const writable = members.filter((id) => id !== holder && node(id).readOnly === false && node(id).failures === 0)
  const neverHeld = held === null || !held.seen
  const everybodySeen = members.every((id) => node(id).seen || isDown(node(id), state.rules))
  const onlyOne = writable.length === 1
  const mayFollow = (id: ServerId): boolean => {
    // Without a known holder nobody can tell a promotion from a mistake: wait for all, then the order below decides.
    if (neverHeld && !everybodySeen) return false
    return !node(id).replicating || node(id).wasReadOnly || (neverHeld && (held === null || onlyOne))
  }
  const preferred = (id: ServerId): number =>
    (node(id).replicating ? 0 : 2) + (isConfiguredWriter(state.rules.servers, pair, id) ? 1 : 0)
  return (
    writable
      .filter(mayFollow)
      .sort((a, b) => preferred(b) - preferred(a))
      .at(0) ?? holder
  )
}

function isConfiguredWriter(rows: readonly ServerConfig[], pair: ReplicationHostgroup, id: ServerId): boolean {
  return rows.some((row) => row.id === id && row.hostgroup === pair.writer)
}

/**
 * Writable servers that are not the writer of their pair, and why each is refused. In a planned switchover the new writer
 * may be seen before the old one is seen read-only: nobody is refused by what was known before it became writable.
 */
export function refusedWriters(state: TopologyState): ReadonlyMap<ServerId, string> {
  const refused = new Map<ServerId, string>()
  for (const { holder, rival } of rivals(state)) {
    if (!isDoubted(state, holder, rival)) refused.set(rival, refusalReason(state, holder, rival))
  }
  return refused
}

/** Writers of which nothing has been seen since another server became writable. */
export function doubtedWriters(state: TopologyState): ReadonlySet<ServerId> {
  const doubted = new Set<ServerId>()
  for (const { holder, rival } of rivals(state)) {
    if (holder !== undefined && isDoubted(state, holder, rival)) doubted.add(holder)
  }
  return doubted
}

/** Servers that are writable beside the holder of their pair. */
function rivals(state: TopologyState): { holder: ServerId | undefined; rival: ServerId }[] {
  return state.rules.replicationHostgroups.flatMap((pair) => {
    const holder = state.writers.get(pair.writer)
    return membersOf(state.rules, pair)
      .filter((id) => id !== holder && state.nodes.get(id)?.readOnly === false)
      .map((rival) => ({ holder, rival }))
  })
}

function isDoubted(state: TopologyState, holder: ServerId | undefined, rival: ServerId): boolean {
  const held = holder === undefined ? undefined : state.nodes.get(holder)
  return held !== undefined && held.observedMs <= (state.nodes.get(rival)?.writableSinceMs ?? 0)
}

function refusalReason(state: TopologyState, holder: ServerId | undefined, id: ServerId): string {
  const replicates = state.nodes.get(id)?.replicating === true
  const remedy = `set read_only=1 on ${id}${replicates ? '' : ' and make it replicate'}`
  const held = holder === undefined ? undefined : state.nodes.get(holder)
  if (held === undefined) return `read_only = 0, but not every server of its hostgroups has been checked yet`
  if (held.readOnly === true || isDown(held, state.rules)) {
    return `read_only = 0, but it still replicates and was never seen read-only: ${remedy}, or stop its replication to promote it`
  }
  return `read_only = 0 while ${holder} is the writer: ${remedy}`
}
