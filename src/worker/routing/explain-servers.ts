import { crowdText } from '../../shared/crowded-hostgroups.js'
import type { ServerExplanation } from '../../shared/explanation.js'
import type { ServerEntry } from '../../shared/snapshot.js'
import type { ReadNeed, Shortage } from '../consistency/read-need.js'
import { ASKS_REPLICAS, type Decision, Reason, type RouteInput, usable } from './router.js'
import type { Candidate, TopologyView } from './topology-view.js'

/** What was decided, and of what. */
export interface Decided {
  readonly decision: Decision
  readonly input: RouteInput
}

/**
 * The servers that the statement could have gone to - those of the hostgroup that was decided, of the account's own and of
 * its replicas - and why each of them was or was not chosen. Asks what the router has asked.
 */
export function explainServers({ decision, input }: Decided): ServerExplanation[] {
  const { view, facts } = input
  const writer = facts.user.defaultHostgroup
  const hostgroups = new Set([decision.hostgroup, writer, readersAsked(input)])
  const entries = view.snapshot.servers.filter(({ hostgroup }) => hostgroups.has(hostgroup))
  return entries.map((entry) => explainServer(entry, { decision, input }))
}

function explainServer(entry: ServerEntry, decided: Decided): ServerExplanation {
  const { input, decision } = decided
  const candidate = candidateOf(entry, input.view)
  const known = candidate?.target.known
  return {
    server: entry.id,
    hostgroup: entry.hostgroup,
    status: entry.status,
    weight: entry.weight,
    lagMs: candidate?.lagMs ?? null,
    inFlight: known?.inFlight ?? 0,
    latencyMs: known?.latencyMs ?? 0,
    chosen: isChosen(entry, decision),
    why: whyOf(entry, candidate, decided),
  }
}

/** The hostgroup whose replicas a read is answered by. */
function readersAsked({ view, facts, ruleHostgroup }: RouteInput): number {
  return view.writerOf(ruleHostgroup) >= 0 ? ruleHostgroup : view.readerOf(facts.user.defaultHostgroup)
}

function candidateOf({ id, hostgroup }: ServerEntry, view: TopologyView): Candidate | null {
  const all = [...view.online(hostgroup), ...view.lagging(hostgroup)]
  return all.find(({ entry }) => entry.id === id) ?? null
}

function isChosen({ id, hostgroup }: ServerEntry, { backend, candidate }: Decision): boolean {
  const chosen = backend?.target ?? candidate?.target
  return chosen?.id === id && chosen.hostgroup === hostgroup
}

function whyOf(entry: ServerEntry, candidate: Candidate | null, { decision, input }: Decided): string {
  if (isChosen(entry, decision)) return decision.reason
  if (decision.backend !== null) return 'the statement stays on a connection that the session has'
  if (entry.status !== 'ONLINE') return entry.statusReason === '' ? `it is ${entry.status}` : entry.statusReason
  const crowd = input.view.crowdOf(entry.hostgroup)
  if (crowd !== null) return `its hostgroup is not used: ${crowdText(crowd)}`
  const isReplica = entry.hostgroup === readersAsked(input)
  const replicasAsked = ASKS_REPLICAS.has(decision.reason)
  if (entry.hostgroup !== decision.hostgroup && !(isReplica && replicasAsked))
    return isReplica ? notForReplicas(decision) : OTHER_HOSTGROUP
  if (candidate === null || !usable(candidate, input)) return 'connections to it have failed a moment ago'
  // A hint for a replica asks for nothing else.
  const asksMore = isReplica && replicasAsked && decision.reason !== Reason.hintReplica
  const shortage = asksMore ? input.need.shortageOf(candidate) : null
  if (shortage !== null) return shortageText(shortage, candidate, input.need)
  if (entry.slow !== undefined) return `${entry.slow}, and there are others`
  return entry.weight === 0 ? 'its weight is 0, and there are others' : 'it would do as well: weight and load decide'
}

function notForReplicas({ reason, hostgroup }: Decision): string {
  if (reason === Reason.noServer)
    return `it does not take the place of hostgroup ${hostgroup}, which has no server online`
  return `replicas were not asked: ${reason}`
}

const OTHER_HOSTGROUP = 'its hostgroup was not needed: there is a server in the one that comes first'

const SHORTAGE_TEXT: Readonly<Record<Exclude<Shortage, 'lag'>, string>> = {
  ownWrites: 'it is not known to have what this session wrote',
  seen: 'it is not known to have what this session has seen',
  committed: 'it is not known to have what was written through this proxy before',
  key: 'it is not known to have what was written or seen under the causal key, or is not the replica of that key',
  position: 'it is not known to have the position that was asked for',
}

function shortageText(shortage: Shortage, { lagMs }: Candidate, { maxLagMs }: ReadNeed): string {
  if (shortage !== 'lag') return SHORTAGE_TEXT[shortage]
  if (lagMs === null) return 'its lag is not known'
  return `its lag of ${Math.round(lagMs)} ms is over the ${maxLagMs} ms that were asked for`
}
