import { ShareBook } from '../../../../src/control/workers/share-book.js'
import type { WorkerHandle } from '../../../../src/control/workers/worker-handle.js'
import type { FromWorker, ServerShares } from '../../../../src/shared/ipc.js'
import type { Snapshot } from '../../../../src/shared/snapshot.js'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import { ConnectionShares } from '../../../../src/worker/pool/connection-shares.js'
import { Pool } from '../../../../src/worker/pool/pool.js'
import type { BackendHolder } from '../../../../src/worker/pool/pool-terms.js'
import { keepUp } from '../../../../src/worker/pool/pool-upkeep.js'
import { type Candidate, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { Keep } from '../../../../src/worker/state/residue.js'
import { type FakeSocket, fakeBackend, serverEntry, snapshotOf } from '../fixture.js'
import { LOGIN } from './pool-fixture.js'

const SERVER = 'primary:3306'
const CONNECT_TIMEOUT_MS = 1_000
const COUNTERS_MS = 1_000

/** Messages one way, in their order, each as late as chance says. */
class Link<M> {
  readonly #delayMs: () => number
  readonly #deliver: (message: M) => void
  #lastAt = 0
  isCut = false

  constructor(delayMs: () => number, deliver: (message: M) => void) {
    this.#delayMs = delayMs
    this.#deliver = deliver
  }

  send(message: M): void {
    const copy = JSON.stringify(message)
    this.#lastAt = Math.max(this.#lastAt, Date.now() + this.#delayMs())
    setTimeout(() => {
      if (!this.isCut) this.#deliver(JSON.parse(copy) as M)
    }, this.#lastAt - Date.now())
  }
}

interface Down {
  readonly snapshot?: Snapshot
  readonly shares?: { readonly sequence: number; readonly shares: ServerShares }
}

/** A worker as far as its pool goes: the real pool, shares and upkeep, over connections that lead nowhere. */
export class Member {
  readonly number: number
  readonly pool: Pool
  readonly shares: ConnectionShares
  readonly handle: WorkerHandle
  readonly down: Link<Down>
  readonly up: Link<FromWorker>
  readonly sockets = new Map<Backend, FakeSocket>()
  readonly #world: ShareWorld
  readonly #view: TopologyView
  readonly #ticking: NodeJS.Timeout
  /** It has been told its shares, and serves. */
  isServing = false
  isDead = false

  constructor(world: ShareWorld, number: number) {
    this.#world = world
    this.number = number
    this.#view = new TopologyView(world.snapshot)
    const now = (): number => Date.now()
    this.down = new Link(world.delayMs, (message) => this.#take(message))
    this.up = new Link(world.delayMs, (message) => {
      if (message.type === 'server-use') world.book.took(this.handle, message.sequence, message.uses)
    })
    this.shares = new ConnectionShares(
      number,
      now,
      () => this.pool,
      (message) => this.up.send(message),
    )
    this.shares.configure(world.snapshot)
    this.pool = new Pool({
      now,
      connect: () => this.#connect(),
      share: (candidate) => this.shares.in(candidate),
      shareOf: (server) => this.shares.of(server),
      isShort: (server) => this.shares.isShort(server),
      diagnosticsHoldMs: () => 1_000,
      openingsPerSecond: () => 1_000_000,
      suspect: () => {},
      initRefused: () => {},
    })
    this.handle = {
      number,
      tellShares: (sequence: number, shares: ServerShares) => this.down.send({ shares: { sequence, shares } }),
    } as WorkerHandle
    this.#ticking = setInterval(() => {
      if (!this.isServing) return
      keepUp(this.pool, this.#view.snapshot.limits, Date.now(), ({ id }) => this.shares.of(id))
      this.shares.tell()
    }, COUNTERS_MS)
  }

  get candidate(): Candidate {
    return this.#view.online(0)[0]
  }

  #take({ snapshot, shares }: Down): void {
    if (snapshot !== undefined) {
      this.#view.applySnapshot(snapshot)
      this.shares.configure(snapshot)
    }
    if (shares === undefined) return
    this.isServing = true
    this.shares.take(shares.sequence, shares.shares)
  }

  async #connect(): Promise<Backend> {
    if (this.isDead) throw new Error('its process is dead')
    const { backend, socket } = fakeBackend()
    // The server has it before the login is over.
    this.#world.opened()
    this.sockets.set(backend, socket)
    await new Promise((resolve) => setTimeout(resolve, this.#world.delayMs()))
    const end = socket.end.bind(socket)
    socket.end = (bytes) => {
      end(bytes)
      setTimeout(() => this.#serverEnds(backend), this.#world.delayMs())
    }
    return backend
  }

  #serverEnds(backend: Backend): void {
    const socket = this.sockets.get(backend)
    if (socket === undefined) return
    this.sockets.delete(backend)
    this.#world.closed()
    socket.emit('close')
  }

  /** The process dies: its connections end, and nobody hears of it any more. */
  die(): void {
    this.isDead = true
    this.isServing = false
    this.down.isCut = this.up.isCut = true
    clearInterval(this.#ticking)
    for (const backend of [...this.sockets.keys()]) this.#serverEnds(backend)
  }
}

/** A session of a worker, which has a connection for as long as it holds one. */
export class Client implements BackendHolder {
  readonly member: Member
  readonly #profile: string
  #backend: Backend | null = null
  /** Ms that it has waited for its connection; null: it has none yet. */
  waitedMs: number | null = null

  constructor(member: Member, profile = 'a') {
    this.member = member
    this.#profile = profile
  }

  backendTaken(): void {
    this.#backend = null
  }

  backendGone(): void {
    this.#backend = null
  }

  /** Waits until it has a connection. @throws ProxyError when there was none in time */
  async begin(waitMs: number): Promise<void> {
    const { pool, candidate } = this.member
    const since = Date.now()
    const customer = { holder: this, login: LOGIN, profile: this.#profile, isWanted: () => !this.member.isDead }
    this.#backend =
      pool.take(candidate, this.#profile, this) ?? (await pool.obtain(candidate, customer, CONNECT_TIMEOUT_MS, waitMs))
    this.waitedMs = Date.now() - since
  }

  /** Lets others have it, but stays there. */
  rest(): void {
    if (this.#backend?.state === 'idle') this.member.pool.rest(this.#backend, Keep.nothing)
  }

  end(): void {
    if (this.#backend?.state === 'idle') this.member.pool.release(this.#backend, false)
    this.#backend = null
  }
}

/** Workers and the control plane's book in front of one server, whose connections are counted. The clock is vitest's. */
export class ShareWorld {
  readonly delayMs: () => number
  readonly book = new ShareBook(() => Date.now())
  readonly members: Member[] = []
  readonly workers: number
  snapshot: Snapshot
  /** Connections that the server has, and the most that it has had at once. */
  connections = 0
  most = 0

  /** @param delayMs of whatever goes over a wire, each time anew */
  constructor(workers: number, cap: number, delayMs: () => number) {
    this.workers = workers
    this.delayMs = delayMs
    this.snapshot = this.#snapshot(cap)
    this.book.configure(this.snapshot)
    for (let number = 1; number <= workers; number++) this.start(number)
  }

  get serving(): Member[] {
    return this.members.filter(({ isServing }) => isServing)
  }

  get shares(): number[] {
    return this.members.map(({ shares }) => shares.of(SERVER))
  }

  start(number: number): Member {
    const member = new Member(this, number)
    this.members.push(member)
    this.book.greet(member.handle)
    return member
  }

  die(member: Member): void {
    this.members.splice(this.members.indexOf(member), 1)
    member.die()
    this.book.workerGone(member.handle)
  }

  setCap(cap: number): void {
    this.snapshot = this.#snapshot(cap)
    for (const { down } of this.members) down.send({ snapshot: this.snapshot })
    this.book.configure(this.snapshot)
  }

  opened(): void {
    this.connections++
    this.most = Math.max(this.most, this.connections)
  }

  closed(): void {
    this.connections--
  }

  #snapshot(maxConnections: number): Snapshot {
    return snapshotOf([serverEntry('primary', 0, { maxConnections })], { workers: this.workers })
  }
}
