import type { ServerUse } from '../../shared/connection-shares.js'
import type { ServerShares, ServerUses } from '../../shared/ipc.js'
import type { ServerId } from '../../shared/snapshot.js'
import type { WorkerHandle } from './worker-handle.js'

const NOTHING: ServerUse = { open: 0, used: 0, waiting: 0 }

/** That a worker may have a connection where not all can: `order` counts up. */
export interface Turn {
  readonly at: number
  readonly order: number
}

export const NO_TURN: Turn = { at: Number.NEGATIVE_INFINITY, order: 0 }

interface Told {
  readonly sequence: number
  readonly shares: Record<ServerId, number>
}

/** What the control plane has told one worker, and what it has heard of it. */
export class ShareAccount {
  readonly handle: WorkerHandle
  /** What it knows, and behind that all that may be on the way to it. */
  private told: Told[] = []
  private uses: ServerUses = {}
  private heardAt = 0
  /** Its last turn at servers that have fewer connections than workers. */
  readonly turns = new Map<ServerId, Turn>()

  constructor(handle: WorkerHandle, shares: ServerShares) {
    this.handle = handle
    this.told.push({ sequence: 1, shares: { ...shares } })
  }

  use(id: ServerId): ServerUse {
    return this.uses[id] ?? NOTHING
  }

  share(id: ServerId): number {
    return this.told.at(-1)!.shares[id] ?? 0
  }

  /** Connections that it may have to a server at most, whatever messages are on their way. */
  ceiling(id: ServerId): number {
    return Math.max(this.use(id).open, ...this.told.map(({ shares }) => shares[id] ?? 0))
  }

  /** What it uses is known. @param withinMs how old that may be */
  isHeard(now: number, withinMs: number): boolean {
    return now - this.heardAt < withinMs
  }

  /** It has not answered yet to what it was told. */
  get isAsked(): boolean {
    return this.told.length > 1
  }

  hear(sequence: number, uses: ServerUses, now: number): void {
    this.told = this.told.filter((one) => one.sequence >= sequence)
    this.uses = uses
    this.heardAt = now
  }

  tell(changes: ReadonlyMap<ServerId, number>): void {
    const last = this.told.at(-1)!
    this.told.push({ sequence: last.sequence + 1, shares: { ...last.shares, ...Object.fromEntries(changes) } })
    this.tellAgain()
  }

  tellAgain(): void {
    const { sequence, shares } = this.told.at(-1)!
    this.handle.tellShares(sequence, shares)
  }

  /** What a worker takes for its share of a server that it has been told nothing of. */
  assume(id: ServerId, share: number): void {
    for (const { shares } of this.told) shares[id] = share
  }

  forget(id: ServerId): void {
    for (const { shares } of this.told) delete shares[id]
    this.turns.delete(id)
  }
}
