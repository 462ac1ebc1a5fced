/** A question about where a statement would go, and its answer. Both travel between the planes as JSON. */

export interface RouteQuestion {
  readonly sql: string
  /** Asked as this account; empty: as one of which nothing is configured. Of no matter for a session. */
  readonly user: string
  /** Empty: the account's own. Of no matter for a session. */
  readonly schema: string
  /** Asked as this session, by the id that its client was given; 0: as one that has just begun. */
  readonly session: number
}

export interface RouteExplanation {
  /** What kind of statement it is, and what else it does. */
  readonly class: string
  readonly effects: readonly string[]
  /** What its reads may rely on; with the hints that were not understood. */
  readonly consistency: string
  /** The query rule that decided; empty: none did. */
  readonly rule: string
  readonly hostgroup: number
  /** The server that was chosen; empty: the statement is held until there is one. */
  readonly chosen: string
  readonly reason: string
  /** The servers of the hostgroup that was asked for and of the account's own ones. */
  readonly servers: readonly ServerExplanation[]
  /** null: the question named none. */
  readonly session: SessionExplanation | null
}

/** A server in one hostgroup, and why it was or was not chosen. */
export interface ServerExplanation {
  readonly server: string
  readonly hostgroup: number
  readonly status: string
  readonly weight: number
  /** null: not known. */
  readonly lagMs: number | null
  /** Statements of the worker that was asked which the server has not answered yet. */
  readonly inFlight: number
  /** Moving average of the reads of the worker that was asked; 0: none was measured. */
  readonly latencyMs: number
  readonly chosen: boolean
  readonly why: string
}

/** What a session has that decides. */
export interface SessionExplanation {
  readonly id: number
  readonly user: string
  readonly schema: string
  readonly phase: string
  readonly autocommit: boolean
  readonly inTransaction: boolean
  readonly pins: readonly string[]
  readonly holds: readonly string[]
  /** The server that these are on; empty: none. */
  readonly keptOn: string
  /** How long ago in ms it wrote last, and has seen data last; null: not yet. */
  readonly wroteMsAgo: number | null
  readonly seenMsAgo: number | null
  /** GTIDs that its replicas must have; empty: not told by GTIDs. */
  readonly writtenGtids: string
  /** The replica from which it has read last; empty: none. */
  readonly seenOn: string
  readonly systemVariables: Readonly<Record<string, string>>
  /** By name; their values are the application's data. */
  readonly userVariables: readonly string[]
}

/** `problem`: the question cannot be answered, as a sentence for whoever asked. */
export type RouteAnswer = RouteExplanation | { readonly problem: string }
