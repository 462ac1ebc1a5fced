import type { ServerEntry } from '../../shared/snapshot.js'
import type { ControlView } from '../view.js'

/** A server in one of its hostgroups, with what the monitor knows of it. */
export interface ServerDescription {
  readonly entry: ServerEntry
  /** Empty: the hostgroup is in no replication pair. */
  readonly role: 'writer' | 'reader' | ''
  /** null, here and below: not known yet. */
  readonly alive: boolean | null
  readonly lagMs: number | null
  /** Why the lag is not known; empty: it is. */
  readonly lagReason: string
  readonly version: string | null
  readonly readOnly: boolean | null
  readonly gtidExecuted: string
}

/** One per server and hostgroup of the runtime, by hostgroup. */
export function describeServers(view: Pick<ControlView, 'snapshot' | 'health'>): ServerDescription[] {
  const { servers, facts, replicationHostgroups } = view.snapshot()
  const health = new Map(view.health().servers.map((one) => [one.id, one]))
  const factsById = new Map(facts.map((one) => [one.id, one]))
  const writers = new Set(replicationHostgroups.map((pair) => pair.writer))
  const readers = new Set(replicationHostgroups.map((pair) => pair.reader))
  return servers.map((entry) => {
    const now = health.get(entry.id)
    const known = factsById.get(entry.id)
    return {
      entry,
      role: writers.has(entry.hostgroup) ? 'writer' : readers.has(entry.hostgroup) ? 'reader' : '',
      alive: now?.alive ?? null,
      lagMs: now?.lagMs == null ? null : Math.round(now.lagMs),
      lagReason: now?.lagReason ?? '',
      version: known?.version ?? null,
      readOnly: known?.readOnly ?? null,
      gtidExecuted: now?.gtidExecuted ?? '',
    }
  })
}
