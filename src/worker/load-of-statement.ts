import type { Backend } from './backend.js'
import { type CommandInHand, isDump } from './command.js'
import type { KnownServer } from './known-server.js'
import { SPILL_REASONS } from './router.js'
import type { TopologyView } from './topology-view.js'

/** Counts the statement that a session has in flight with the server that has it, from its sending to its end. */
export class LoadOfStatement {
  #server: KnownServer | null = null
  #spilled = false
  /** Monotonic ms when it was sent; -1: how long it takes says nothing of the server. */
  #since = -1

  begin(command: CommandInHand, { target }: Backend, view: TopologyView): void {
    const { known } = target
    command.sentIncarnation = known.incarnation
    // A reader of the binary log stays for good.
    if (isDump(command.code)) return
    this.#server = known
    known.started()
    const onReplica = !view.isWriter(target.hostgroup)
    this.#since = onReplica && command.class === 'read' ? command.sentAt : -1
    this.#spilled = !onReplica && SPILL_REASONS.has(command.reason)
    if (this.#spilled) known.spilled++
  }

  /** @param now monotonic ms when it was answered; -1: it was not */
  end(now: number): void {
    const server = this.#server
    if (server === null) return
    this.#server = null
    server.ended(now < 0 || this.#since < 0 ? -1 : now - this.#since)
    if (this.#spilled) server.spilled--
  }
}
