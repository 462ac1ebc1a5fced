import type { ServerId } from '../../shared/snapshot.js'
import type { Backend } from '../backend/backend.js'
import type { connectBackend } from '../backend/backend-connect.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { ConnectionProfile } from '../backend/connection-profile.js'
import type { Candidate } from '../routing/topology-view.js'

/** Who has a connection, and hears when it is gone. */
export interface BackendHolder {
  backendGone(backend: Backend, reason: string): void
  /** An idle connection is given to another session, or closed. What is to be asked there before has to be asked now. */
  backendTaken(backend: Backend): void
}

/** What a pool needs to know of its worker. */
export interface PoolTerms {
  readonly now: () => number
  readonly connect: typeof connectBackend
  /** Connections that this worker may have to the server as a member of the hostgroup. */
  readonly share: (candidate: Candidate) => number
  /** The same, whatever the hostgroup. */
  readonly shareOf: (server: ServerId) => number
  /** The share allows no connection that is wanted. */
  readonly isShort: (server: ServerId) => void
  /** How long an idle session may hold a connection for what it may still ask for there while others wait. */
  readonly diagnosticsHoldMs: () => number
  /** Connections per second that this worker may open to the servers of a hostgroup; more than 0. */
  readonly openingsPerSecond: (hostgroup: number) => number
  readonly suspect: (server: ServerId, reason: string) => void
  /** A server does not execute init_connect; told once while it says the same. */
  readonly initRefused: (server: ServerId, message: string) => void
}

/** As what a connection is opened. */
export interface Opening {
  readonly login: BackendLogin
  /** null: it is to be nobody else's. */
  readonly profile: ConnectionProfile | null
}

/** For whom a connection is wanted. */
export interface Customer extends Opening {
  readonly holder: BackendHolder
  /** False once it has no more use for a connection: asked while it waits. */
  readonly isWanted: () => boolean
}
