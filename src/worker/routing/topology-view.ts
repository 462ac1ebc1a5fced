import { type Crowd, crowdedHostgroups } from '../../shared/crowded-hostgroups.js'
import { type GtidSet, parseGtidSet } from '../../shared/gtid.js'
import type { Flavor, HealthReport, ServerEntry, ServerHealth, ServerId, Snapshot } from '../../shared/snapshot.js'
import type { BackendTarget } from '../backend/backend.js'
import { HostgroupTerms } from '../pool/hostgroup-terms.js'
import { KnownServer } from './known-server.js'

/** A server of a hostgroup, with what routing has to know of it. */
export interface Candidate {
  readonly entry: ServerEntry
  readonly target: BackendTarget
  /** What it has applied, or null when that is not known. */
  gtids: GtidSet | null
  gtidText: string
  /** See `ServerHealth.coversPrimaryAt`. */
  coversPrimaryAt: number
  lagMs: number | null
  /** Others of its hostgroup are to be read from first. */
  readonly slow: boolean
}

const NO_CANDIDATES: readonly Candidate[] = []

/** The worker's picture of the servers, made from the last snapshot and the last health report. */
export class TopologyView {
  #snapshot: Snapshot
  #healthSequence = -1
  /** ONLINE servers by hostgroup, in the snapshot's order. */
  #online = new Map<number, Candidate[]>()
  #readerOf = new Map<number, number>()
  #writers = new Set<number>()
  /** SHUNNED for their lag alone, by hostgroup. */
  #lagging = new Map<number, Candidate[]>()
  /** ONLINE where too many are (max_num_online_servers), by hostgroup. */
  #crowded = new Map<number, Candidate[]>()
  #crowds = new Map<number, Crowd>()
  #known = new Map<ServerId, KnownServer>()
  #changed = new Set<() => void>()
  /** Of the snapshot. */
  terms: HostgroupTerms

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot
    this.terms = new HostgroupTerms(snapshot)
    this.applySnapshot(snapshot)
  }

  get snapshot(): Snapshot {
    return this.#snapshot
  }

  get flavor(): Flavor {
    return this.#snapshot.greeting.flavor
  }

  /** ONLINE servers of a hostgroup; none where there are more than it may have. */
  online(hostgroup: number): readonly Candidate[] {
    return this.#online.get(hostgroup) ?? NO_CANDIDATES
  }

  /** Servers of a hostgroup that only their replication lag keeps from being ONLINE. */
  lagging(hostgroup: number): readonly Candidate[] {
    return this.#lagging.get(hostgroup) ?? NO_CANDIDATES
  }

  /** Why no ONLINE server of a hostgroup is used; null: they are. */
  crowdOf(hostgroup: number): Crowd | null {
    return this.#crowds.get(hostgroup) ?? null
  }

  /** A connection to the server was lost or refused: it may have been restarted, and what it was known to have may be gone. */
  doubt(id: ServerId, now: number): void {
    const known = this.#known.get(id)
    if (known === undefined) return
    known.doubt(now)
    for (const candidate of this.#all()) if (candidate.target.known === known) forgetApplied(candidate)
  }

  /** A client of another worker has set global variables of the server. */
  globalsSet(id: ServerId): void {
    const known = this.#known.get(id)
    if (known !== undefined) known.globalsSet++
  }

  /** The servers, in whichever hostgroups they are, of which something is to be known. */
  *#all(): Iterable<Candidate> {
    for (const list of this.#online.values()) yield* list
    for (const list of this.#lagging.values()) yield* list
    for (const list of this.#crowded.values()) yield* list
  }

  /** This worker's part of max_primary_spill; 0: no limit. */
  get spillLimit(): number {
    const { consistency, workers } = this.#snapshot
    const { maxPrimarySpill } = consistency
    return maxPrimarySpill === 0 ? 0 : Math.max(1, Math.floor(maxPrimarySpill / workers))
  }

  /** The reader hostgroup that belongs to a writer hostgroup, or -1. */
  readerOf(writer: number): number {
    return this.#readerOf.get(writer) ?? -1
  }

  /** The writer hostgroup that belongs to a reader hostgroup, or -1. */
  writerOf(reader: number): number {
    for (const [writer, of] of this.#readerOf) if (of === reader) return writer
    return -1
  }

  /** Whether statements that ran in this hostgroup may have written. */
  isWriter(hostgroup: number): boolean {
    return this.#readerOf.size === 0 || this.#writers.has(hostgroup) || !this.#isReader(hostgroup)
  }

  #isReader(hostgroup: number): boolean {
    for (const reader of this.#readerOf.values()) if (reader === hostgroup) return true
    return false
  }

  applySnapshot(snapshot: Snapshot): void {
    const before = new Map<string, Candidate>()
    for (const candidate of this.#all()) {
      before.set(`${candidate.entry.hostgroup} ${candidate.entry.id}`, candidate)
    }
    const known = new Map(snapshot.servers.map(({ id }) => [id, this.#known.get(id) ?? new KnownServer(id)]))
    this.#known = known
    this.#snapshot = snapshot
    this.terms = new HostgroupTerms(snapshot)
    this.#readerOf = new Map(snapshot.replicationHostgroups.map(({ writer, reader }) => [writer, reader]))
    this.#writers = new Set(this.#readerOf.keys())
    this.#online = new Map()
    this.#lagging = new Map()
    for (const entry of snapshot.servers) {
      if (entry.status !== 'ONLINE' && entry.lagging !== true) continue
      const lists = entry.status === 'ONLINE' ? this.#online : this.#lagging
      const list = lists.get(entry.hostgroup) ?? []
      list.push(this.#candidate(entry, before.get(`${entry.hostgroup} ${entry.id}`)))
      lists.set(entry.hostgroup, list)
    }
    this.#setCrowdsAside()
    this.#tell()
  }

  /** Transactions go on, and what is in flight: nobody is sent there anew. */
  #setCrowdsAside(): void {
    this.#crowds = crowdedHostgroups(this.#snapshot)
    this.#crowded = new Map()
    for (const hostgroup of this.#crowds.keys()) {
      this.#crowded.set(hostgroup, this.#online.get(hostgroup) ?? [])
      this.#online.delete(hostgroup)
    }
  }

  /** An older report than the last one is ignored. */
  applyHealth(report: HealthReport): void {
    if (report.sequence <= this.#healthSequence) return
    this.#healthSequence = report.sequence
    const byId = new Map(report.servers.map((health) => [health.id, health]))
    for (const candidate of this.#all()) {
      const health = byId.get(candidate.entry.id)
      if (health !== undefined) this.#takeHealth(candidate, health)
    }
    this.#tell()
  }

  #takeHealth(candidate: Candidate, health: ServerHealth): void {
    const { known } = candidate.target
    known.reported(health.incarnation)
    known.breaker.reported(health.alive, health.incarnation)
    candidate.lagMs = health.lagMs
    known.givesGtids = health.gtidExecuted !== ''
    if (health.toldByLog) known.wasToldByLog = true
    // A report may be older than the loss of a connection that put it into doubt.
    const isOld = known.doubtedAt >= 0 && health.coversPrimaryAt <= known.doubtedAt
    if (isOld && this.#isReader(candidate.entry.hostgroup)) return
    candidate.coversPrimaryAt = this.#coverage(candidate, health.coversPrimaryAt)
    if (health.gtidExecuted !== candidate.gtidText) this.#setGtids(candidate, health.gtidExecuted)
  }

  /**
   * A primary covers itself at all times. That it is one no more may be told in a snapshot before a report says what it
   * covers now; and what this worker has seen of it refers to the primary of that time.
   */
  #coverage({ entry, target: { known } }: Candidate, reported: number): number {
    const { hostgroup } = entry
    if (!this.#isReader(hostgroup)) return reported
    const covered = reported === Number.MAX_SAFE_INTEGER ? -1 : reported
    return this.primaryOf(hostgroup) === known.reachedPrimary ? Math.max(covered, known.reachedAt) : covered
  }

  /** The server that is ONLINE in the writer hostgroup of a reader hostgroup; null: none is, or more than one. */
  primaryOf(reader: number): ServerId | null {
    for (const [writer, of] of this.#readerOf) {
      if (of !== reader) continue
      const online = this.online(writer)
      return online.length === 1 ? (online[0] as Candidate).entry.id : null
    }
    return null
  }

  /**
   * After how many ms replicas of a writer hostgroup are taken to have what nothing tells that they have; null: never. Where
   * servers have GTIDs, or a replica's place in the primary's binary log is known, something tells, though not at every
   * moment: a failover and a lost connection begin anew.
   */
  pinMs(writer: number): number | null {
    const { pinMs } = this.#snapshot.consistency
    if (pinMs === null || this.online(writer).some(({ target }) => target.known.givesGtids)) return null
    return this.online(this.readerOf(writer)).some(({ target }) => target.known.wasToldByLog) ? null : pinMs
  }

  /** Takes up what this worker has seen of a replica itself (`KnownServer.reached`). */
  noteReached(candidate: Candidate): void {
    candidate.coversPrimaryAt = this.#coverage(candidate, candidate.coversPrimaryAt)
  }

  /** Calls back once, at the next snapshot or report. */
  onceChanged(callback: () => void): void {
    this.#changed.add(callback)
  }

  forget(callback: () => void): void {
    this.#changed.delete(callback)
  }

  #candidate(entry: ServerEntry, before: Candidate | undefined): Candidate {
    const facts = this.#snapshot.facts.find(({ id }) => id === entry.id)
    // It comes back, or has another role: what was found of it before is over.
    if (before === undefined) this.#known.get(entry.id)?.breaker.seenAlive()
    const target: BackendTarget = {
      id: entry.id,
      hostgroup: entry.hostgroup,
      host: entry.host,
      port: entry.port,
      tls: entry.tls,
      proxyProtocol: entry.proxyProtocol,
      compression: entry.compression,
      initConnect: this.terms.initConnect(entry.hostgroup),
      flavor: facts?.flavor ?? this.#snapshot.greeting.flavor,
      known: this.#known.get(entry.id) as KnownServer,
    }
    return {
      entry,
      target,
      gtids: before?.gtids ?? null,
      gtidText: before?.gtidText ?? '',
      coversPrimaryAt: this.#sinceBefore(entry.hostgroup, before?.coversPrimaryAt ?? -1),
      lagMs: before?.lagMs ?? null,
      slow: entry.slow !== undefined,
    }
  }

  #sinceBefore(hostgroup: number, covered: number): number {
    return covered === Number.MAX_SAFE_INTEGER && this.#isReader(hostgroup) ? -1 : covered
  }

  #setGtids(candidate: Candidate, text: string): void {
    candidate.gtidText = text
    try {
      candidate.gtids = text === '' ? null : parseGtidSet(text, candidate.target.flavor)
    } catch {
      candidate.gtids = null
    }
  }

  #tell(): void {
    const waiting = this.#changed
    this.#changed = new Set()
    for (const callback of waiting) callback()
  }
}

function forgetApplied(candidate: Candidate): void {
  candidate.gtids = null
  candidate.gtidText = ''
  if (candidate.coversPrimaryAt !== Number.MAX_SAFE_INTEGER) candidate.coversPrimaryAt = -1
}

const ANY = (): boolean => true

/** Finds the candidate of a server in any hostgroup, or in any that is asked for. */
export function findOnline(
  view: TopologyView,
  id: ServerId,
  isMeant: (hostgroup: number) => boolean = ANY,
): Candidate | null {
  for (const entry of view.snapshot.servers) {
    if (entry.id !== id || !isMeant(entry.hostgroup)) continue
    const found = view.online(entry.hostgroup).find((candidate) => candidate.entry.id === id)
    if (found !== undefined) return found
  }
  return null
}
