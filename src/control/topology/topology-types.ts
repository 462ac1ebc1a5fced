import type { Crowd } from '../../shared/crowded-hostgroups.js'
import type { HostgroupAttributes, ReplicationHostgroup, ServerEntry, ServerId } from '../../shared/snapshot.js'
import type { ServerConfig } from '../config/config-schema.js'

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
  /** Slow servers in their hostgroups by the same, and why: those that `replicas_min` keeps in use are not there. */
  readonly slow: ReadonlyMap<string, string>
  readonly entries: readonly ServerEntry[]
  /** Writable servers that are refused as a second writer. */
  readonly refused: ReadonlyMap<ServerId, string>
  /** Hostgroups that are not used for too many servers, as was told last. */
  readonly crowds: ReadonlyMap<number, Crowd>
}

export interface TopologyRules {
  readonly servers: readonly ServerConfig[]
  readonly replicationHostgroups: readonly ReplicationHostgroup[]
  /** So many failed checks in a row make a server unreachable; at least 1. */
  readonly maxFailures: number
  /** So many replicas of a pair stay in use however much they lag, as long as their lag is known. Absent: none. */
  readonly replicasMin?: number
  /** Milliseconds, for servers without a limit of their own; 0 and absent: none. */
  readonly defaultMaxLatencyMs?: number
  /** See `Snapshot.hostgroupAttributes`. */
  readonly hostgroupAttributes?: readonly HostgroupAttributes[]
}

/** What is known of one server. */
export interface NodeState {
  /** Failed checks in a row. */
  readonly failures: number
  readonly failureReason: string
  /** Why the monitor cannot look though the server is there; empty: it can, or the server does not answer. */
  readonly blindReason: string
  /** Whether it answered at least once since this process started. */
  readonly seen: boolean
  /** Monotonic time of the last observation of any kind; -1: none. */
  readonly observedMs: number
  /** Last known; null: never seen. */
  readonly readOnly: boolean | null
  /** Monotonic time of the observation with which it became writable; null: it is not known to be. */
  readonly writableSinceMs: number | null
  /** Whether it was seen with read_only=1 at least once: being writable now is somebody's decision. */
  readonly wasReadOnly: boolean
  /** Whether a replication channel is configured there. */
  readonly replicating: boolean
  /** null: unknown or broken, `lagReason` says why. */
  readonly lagMs: number | null
  readonly lagReason: string
  /** Milliseconds of its last round trips, the newest last. */
  readonly latencies: readonly number[]
}

export type Observation =
  | {
      readonly kind: 'answered'
      readonly server: ServerId
      readonly readOnly: boolean
      readonly replicating: boolean
      readonly lagMs: number | null
      readonly lagReason: string
      /** How long the monitor's question took; absent: it was not measured. */
      readonly latencyMs?: number
    }
  /** The server is there but does not let the monitor look: it keeps its role, its lag is not known. */
  | { readonly kind: 'blind'; readonly server: ServerId; readonly reason: string }
  | { readonly kind: 'failed'; readonly server: ServerId; readonly reason: string }

/** An observation and its monotonic time. */
export interface Observed {
  readonly observation: Observation
  readonly atMs: number
}

export interface Instant {
  /** For durations. */
  readonly monotonicMs: number
  /** For people: milliseconds since 1970. */
  readonly dateMs: number
}

export interface TopologyEvent {
  /** Milliseconds since 1970. */
  readonly time: number
  /** Empty: it is about a hostgroup. */
  readonly server: ServerId
  readonly what: string
  readonly why: string
}

export type TopologyEffect =
  | { readonly kind: 'publish' }
  /** A second server is writable: what is known of the writer is older than that. */
  | { readonly kind: 'check'; readonly server: ServerId }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly event: TopologyEvent }

export interface TopologyStep {
  readonly state: TopologyState
  readonly effects: readonly TopologyEffect[]
}

/** Holds a replica back after its lag was over the limit, so that it does not come and go with every poll. */
export interface LagGate {
  /** Why it is closed; empty: open. */
  readonly closedBy: string
  /** Monotonic time since when the lag is fine while the gate is closed; null: it is not. */
  readonly fineSinceMs: number | null
}
