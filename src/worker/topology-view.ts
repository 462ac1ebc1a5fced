import { type GtidSet, parseGtidSet } from '../shared/gtid.js'
import type { Flavor, HealthReport, ServerEntry, ServerId, Snapshot } from '../shared/snapshot.js'
import type { BackendTarget } from './backend.js'

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
  /** Until this monotonic time in ms new connections avoid it: this worker has just seen it refuse one. -1: usable. */
  avoidUntil: number
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
  #changed = new Set<() => void>()

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot
    this.applySnapshot(snapshot)
  }

  get snapshot(): Snapshot {
    return this.#snapshot
  }

  get flavor(): Flavor {
    return this.#snapshot.greeting.flavor
  }

  /** ONLINE servers of a hostgroup. */
  online(hostgroup: number): readonly Candidate[] {
    return this.#online.get(hostgroup) ?? NO_CANDIDATES
  }

  /** The reader hostgroup that belongs to a writer hostgroup, or -1. */
  readerOf(writer: number): number {
    return this.#readerOf.get(writer) ?? -1
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
    for (const list of this.#online.values()) {
      for (const candidate of list) before.set(`${candidate.entry.hostgroup} ${candidate.entry.id}`, candidate)
    }
    this.#snapshot = snapshot
    this.#readerOf = new Map(snapshot.replicationHostgroups.map(({ writer, reader }) => [writer, reader]))
    this.#writers = new Set(this.#readerOf.keys())
    this.#online = new Map()
    for (const entry of snapshot.servers) {
      if (entry.status !== 'ONLINE') continue
      const list = this.#online.get(entry.hostgroup) ?? []
      list.push(this.#candidate(entry, before.get(`${entry.hostgroup} ${entry.id}`)))
      this.#online.set(entry.hostgroup, list)
    }
    this.#tell()
  }

  /** An older report than the last one is ignored. */
  applyHealth(report: HealthReport): void {
    if (report.sequence <= this.#healthSequence) return
    this.#healthSequence = report.sequence
    const byId = new Map(report.servers.map((health) => [health.id, health]))
    for (const list of this.#online.values()) {
      for (const candidate of list) {
        const health = byId.get(candidate.entry.id)
        if (health === undefined) continue
        candidate.coversPrimaryAt = health.coversPrimaryAt
        candidate.lagMs = health.lagMs
        if (health.gtidExecuted !== candidate.gtidText) this.#setGtids(candidate, health.gtidExecuted)
      }
    }
    this.#tell()
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
    const target: BackendTarget = {
      id: entry.id,
      hostgroup: entry.hostgroup,
      host: entry.host,
      port: entry.port,
      tls: entry.tls,
      proxyProtocol: entry.proxyProtocol,
      compression: entry.compression,
      flavor: facts?.flavor ?? this.#snapshot.greeting.flavor,
    }
    return {
      entry,
      target,
      gtids: before?.gtids ?? null,
      gtidText: before?.gtidText ?? '',
      coversPrimaryAt: before?.coversPrimaryAt ?? -1,
      lagMs: before?.lagMs ?? null,
      avoidUntil: before?.avoidUntil ?? -1,
    }
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

/** Finds the candidate of a server in any hostgroup. */
export function findOnline(view: TopologyView, id: ServerId): Candidate | null {
  for (const entry of view.snapshot.servers) {
    if (entry.id !== id) continue
    const found = view.online(entry.hostgroup).find((candidate) => candidate.entry.id === id)
    if (found !== undefined) return found
  }
  return null
}
