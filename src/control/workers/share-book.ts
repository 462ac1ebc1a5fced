import { connectionCaps, evenShare } from '../../shared/connection-shares.js'
import type { ServerUses } from '../../shared/ipc.js'
import type { ServerId, Snapshot } from '../../shared/snapshot.js'
import { NO_TURN, ShareAccount, type Turn } from './share-account.js'
import { allot } from './share-allotment.js'
import type { WorkerHandle } from './worker-handle.js'

/** While some wait, the others are asked what they use if they have not said so for this long. */
const ASK_MS = 50
/** Shares of a server are lowered at most so often: each time costs connections. */
const LOWER_MS = 50
/** Where there are fewer connections than workers that want one, each has them for so long before the next has its turn. */
const TURN_MS = 200
/** Shares go back to even parts, as far as they are not used, when nobody has waited for this long. */
const SETTLE_MS = 10_000

/**
 * Lends the connections that workers may have to a server (`servers[].max_connections`) from those that do not use theirs
 * to those whose statements wait. A share is lowered first, and raised elsewhere only when that worker has said what it
 * still has: so there are never more than the limit, whatever messages cross.
 */
export class ShareBook {
  private readonly now: () => number
  private readonly accounts = new Map<WorkerHandle, ShareAccount>()
  private caps = new Map<ServerId, number>()
  private workers = 1
  private readonly pressedAt = new Map<ServerId, number>()
  private readonly loweredAt = new Map<ServerId, number>()
  private changes = new Map<ShareAccount, Map<ServerId, number>>()
  private lastTurn = 0

  /** @param now monotonic ms */
  constructor(now: () => number) {
    this.now = now
  }

  /** To be called when the workers have been sent the snapshot. */
  configure(snapshot: Pick<Snapshot, 'servers' | 'workers'>): void {
    const before = this.caps
    this.caps = connectionCaps(snapshot)
    this.workers = snapshot.workers
    for (const id of before.keys()) if (!this.caps.has(id)) this.forget(id)
    for (const [id, cap] of this.caps) {
      if (before.has(id)) continue
      this.pressedAt.set(id, this.now())
      for (const account of this.accounts.values()) {
        const share = evenShare(cap, this.workers, account.handle.number)
        account.assume(id, share)
        // It would change by itself with the next snapshot.
        this.change(account, id, share)
      }
    }
    this.balance()
  }

  /** What a new worker has to know before it serves: it begins with what is free, its even part at most. */
  greet(handle: WorkerHandle): void {
    let account = this.accounts.get(handle)
    if (account === undefined) {
      const shares: Record<ServerId, number> = {}
      for (const [id, cap] of this.caps) {
        shares[id] = Math.min(evenShare(cap, this.workers, handle.number), Math.max(0, this.free(id, cap)))
      }
      account = new ShareAccount(handle, shares)
      this.accounts.set(handle, account)
    }
    account.tellAgain()
  }

  /** A worker tells what it has, now that it knows what it was told with this number. */
  took(handle: WorkerHandle, sequence: number, uses: ServerUses): void {
    const account = this.accounts.get(handle)
    if (account === undefined) return
    account.hear(sequence, uses, this.now())
    this.balance()
  }

  /** Its connections are gone with it. */
  workerGone(handle: WorkerHandle): void {
    if (this.accounts.delete(handle)) this.balance()
  }

  private forget(id: ServerId): void {
    this.pressedAt.delete(id)
    this.loweredAt.delete(id)
    for (const account of this.accounts.values()) account.forget(id)
  }

  /** Connections that no worker can have. */
  private free(id: ServerId, cap: number): number {
    let free = cap
    for (const account of this.accounts.values()) free -= account.ceiling(id)
    return free
  }

  private balance(): void {
    for (const [id, cap] of this.caps) this.balanceServer(id, cap)
    const changes = this.changes
    this.changes = new Map()
    for (const [account, shares] of changes) account.tell(shares)
  }

  private balanceServer(id: ServerId, cap: number): void {
    const now = this.now()
    const accounts = this.inOrder(id, cap, now)
    const isPressed = accounts.some((account) => account.use(id).waiting > 0)
    if (isPressed) this.pressedAt.set(id, now)
    const settle = now - this.pressedAt.get(id)! >= SETTLE_MS
    const targets = allot(
      cap,
      accounts.map((account) => this.need(account, id, cap)),
      settle,
    )
    const isOver = sum(accounts, (account) => this.share(account, id)) > cap
    const isDue = now - (this.loweredAt.get(id) ?? Number.NEGATIVE_INFINITY) >= LOWER_MS
    if (isOver || settle || (isPressed && isDue)) this.lower(id, accounts, targets, isOver, now)
    this.raise(id, accounts, targets, this.free(id, cap))
    if (isPressed) this.askSilent(id, accounts, now)
  }

  /**
   * Who comes first: who has the most, so that nothing moves back and forth; or, where not all that want a connection can
   * have one, those whose turn it is, and then those whose last turn is longest ago.
   */
  private inOrder(id: ServerId, cap: number, now: number): ShareAccount[] {
    const accounts = [...this.accounts.values()].sort((a, b) => a.handle.number - b.handle.number)
    const wanting = accounts.filter((account) => account.use(id).used + account.use(id).waiting > 0)
    if (wanting.length <= cap) return accounts.sort((a, b) => b.share(id) - a.share(id))
    const turn = (account: ShareAccount): Turn => account.turns.get(id) ?? NO_TURN
    const isOver = (account: ShareAccount): number => Number(now - turn(account).at >= TURN_MS)
    accounts.sort((a, b) => isOver(a) - isOver(b) || turn(a).order - turn(b).order)
    const next = accounts.filter((account) => wanting.includes(account)).slice(0, cap)
    for (const account of next) if (isOver(account)) account.turns.set(id, { at: now, order: ++this.lastTurn })
    return accounts
  }

  private need(account: ShareAccount, id: ServerId, cap: number) {
    const { used, waiting } = account.use(id)
    return { even: evenShare(cap, this.workers, account.handle.number), share: this.share(account, id), used, waiting }
  }

  /** @param atOnce also where it is not known what a worker uses by now: it may close what it would have kept */
  private lower(
    id: ServerId,
    accounts: readonly ShareAccount[],
    targets: readonly number[],
    atOnce: boolean,
    now: number,
  ): void {
    accounts.forEach((account, at) => {
      if (this.share(account, id) <= targets[at] || !(atOnce || account.isHeard(now, ASK_MS))) return
      this.change(account, id, targets[at])
      this.loweredAt.set(id, now)
    })
  }

  /** Raises shares as far as nobody else can have those connections; those that wait come first. */
  private raise(id: ServerId, accounts: readonly ShareAccount[], targets: readonly number[], free: number): void {
    let left = Math.max(0, free)
    const waitFirst = (a: number, b: number): number =>
      Number(accounts[b].use(id).waiting > 0) - Number(accounts[a].use(id).waiting > 0)
    for (const at of [...accounts.keys()].sort(waitFirst)) {
      const account = accounts[at]
      // It answers, or hangs.
      if (account.isAsked) continue
      const [share, ceiling] = [this.share(account, id), account.ceiling(id)]
      const next = Math.min(targets[at], ceiling + left)
      if (next <= share) continue
      left -= Math.max(0, next - ceiling)
      this.change(account, id, next)
    }
  }

  /** Some wait, and others may have connections that they do not use any more: whoever is told something answers. */
  private askSilent(id: ServerId, accounts: readonly ShareAccount[], now: number): void {
    for (const account of accounts) {
      if (!account.isHeard(now, ASK_MS) && !account.isAsked) this.change(account, id, this.share(account, id))
    }
  }

  /** With what is about to be told. */
  private share(account: ShareAccount, id: ServerId): number {
    return this.changes.get(account)?.get(id) ?? account.share(id)
  }

  private change(account: ShareAccount, id: ServerId, share: number): void {
    const changes = this.changes.get(account) ?? new Map<ServerId, number>()
    this.changes.set(account, changes)
    changes.set(id, share)
  }
}

function sum(accounts: readonly ShareAccount[], of: (account: ShareAccount) => number): number {
  return accounts.reduce((total, account) => total + of(account), 0)
}
