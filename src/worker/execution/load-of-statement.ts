import type { Backend } from '../backend/backend.js'
import type { KnownServer } from '../routing/known-server.js'
import { type Decision, SPILL_REASONS } from '../routing/router.js'
import type { TopologyView } from '../routing/topology-view.js'
import { type CommandInHand, isDump } from '../session/command.js'

/** Counts the statement that a session has in flight with the server that has it, from its sending to its end. */
export class LoadOfStatement {
  #server: KnownServer | null = null
  /** The primary on which it counts towards max_primary_spill. */
  #spilledTo: KnownServer | null = null
  /** Monotonic ms when it was sent; -1: how long it takes says nothing of the server. */
  #since = -1

  /** To be called before the statement is routed, maybe once more: it is not to be in its own way. */
  beforeRoute(): void {
    if (this.#spilledTo !== null) this.#leaveSpilled()
  }

  /** Counts from the decision on: a connection may have to be opened before it is sent, and others are routed meanwhile. */
  routed({ candidate, reason }: Decision): void {
    if (candidate !== null && SPILL_REASONS.has(reason)) {
      this.#spilledTo = candidate.target.known
      this.#spilledTo.spilled++
    }
  }

  begin(command: CommandInHand, { target }: Backend, view: TopologyView): void {
    const { known } = target
    command.sentIncarnation = known.incarnation
    // A reader of the binary log stays for good.
    if (isDump(command.code)) return
    this.#server = known
    known.started()
    const onReplica = !view.isWriter(target.hostgroup)
    this.#since = onReplica && command.class === 'read' ? command.sentAt : -1
  }

  /** @param now monotonic ms when it was answered; -1: it was not, or was never sent */
  end(now: number): void {
    if (this.#spilledTo !== null) this.#leaveSpilled()
    const server = this.#server
    if (server === null) return
    this.#server = null
    if (now >= 0) server.answered++
    server.ended(now < 0 || this.#since < 0 ? -1 : now - this.#since)
  }

  #leaveSpilled(): void {
    this.#spilledTo!.spilled--
    this.#spilledTo = null
  }
}
