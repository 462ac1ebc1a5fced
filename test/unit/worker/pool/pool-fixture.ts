import type { Backend } from '../../../../src/worker/backend/backend.js'
import { BackendConnectError } from '../../../../src/worker/backend/backend-connect.js'
import type { BackendLogin } from '../../../../src/worker/backend/backend-login.js'
import { Pool } from '../../../../src/worker/pool/pool.js'
import type { BackendHolder, Customer } from '../../../../src/worker/pool/pool-terms.js'
import { type Candidate, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { ok } from '../answers.js'
import { type FakeSocket, fakeBackend, serverEntry, snapshotOf } from '../fixture.js'

export const LOGIN: BackendLogin = {
  username: 'app',
  password: 'app',
  database: '',
  collation: 45,
  capabilities: 0,
  mariadbCapabilities: 0,
  attributes: undefined,
}

/** Deadline of those who wait. */
export const WAIT_MS = 10_000

/** Who has connections, and what it was told of them. */
export class FakeHolder implements BackendHolder {
  readonly name: string
  readonly taken: Backend[] = []
  readonly gone: Backend[] = []

  constructor(name = 'holder') {
    this.name = name
  }

  backendTaken(backend: Backend): void {
    this.taken.push(backend)
  }

  backendGone(backend: Backend): void {
    this.gone.push(backend)
  }
}

/** A pool in front of servers that are sockets without an end. Its clock is that of vitest's fake timers. */
export class PoolWorld {
  share = 2
  holdMs = 1_000
  perSecond = 1_000_000
  /** Attempts to connect are refused. */
  isDown = false
  /** While set, attempts to connect wait for it. */
  gate: Promise<void> | null = null
  connects = 0
  readonly suspicions: string[] = []
  readonly initRefusals: string[] = []
  /** What connecting fails with. */
  failure: BackendConnectError | null = null
  /** Servers at which the share was not enough. */
  readonly shortOf: string[] = []
  readonly sockets = new Map<Backend, FakeSocket>()
  readonly view = new TopologyView(snapshotOf([serverEntry('primary', 0), serverEntry('replica', 1)]))
  readonly pool = new Pool({
    now: () => Date.now(),
    connect: (target) => this.#connect(target.host, target.hostgroup),
    share: () => this.share,
    shareOf: () => this.share,
    isShort: (server) => this.shortOf.push(server),
    diagnosticsHoldMs: () => this.holdMs,
    openingsPerSecond: () => this.perSecond,
    suspect: (_server, reason) => this.suspicions.push(reason),
    initRefused: (_server, message) => this.initRefusals.push(message),
  })

  get primary(): Candidate {
    return this.view.online(0)[0]
  }

  async #connect(host: string, hostgroup: number): Promise<Backend> {
    this.connects++
    await this.gate
    if (this.failure !== null) throw this.failure
    if (this.isDown) throw new BackendConnectError('refused', null)
    const { backend, socket } = fakeBackend(host, { hostgroup, threadId: this.connects })
    this.sockets.set(backend, socket)
    return backend
  }

  customer(holder: BackendHolder, profile: string | null = 'a', isWanted: () => boolean = () => true): Customer {
    return { holder, login: LOGIN, profile, isWanted }
  }

  /** A connection to the primary, as a session gets it. */
  async get(holder: BackendHolder, profile: string | null = 'a'): Promise<Backend> {
    const taken = profile === null ? null : this.pool.take(this.primary, profile, holder)
    return taken ?? (await this.pool.obtain(this.primary, this.customer(holder, profile), 1000, WAIT_MS))
  }

  /** The same, noting how it came out. */
  getNoted(holder: FakeHolder, log: string[], profile: string | null = 'a'): Promise<Backend | null> {
    return this.get(holder, profile).then(
      (backend) => {
        log.push(holder.name)
        return backend
      },
      (error: Error) => {
        log.push(`${holder.name}: ${error.message}`)
        return null
      },
    )
  }

  /** The server answers all that is in flight on a connection with OK. */
  answer(backend: Backend): void {
    for (let left = backend.depth; left > 0; left--) {
      const bytes = ok()
      backend.receive(bytes, bytes.length)
    }
  }

  /** The server ends a connection. */
  end(backend: Backend): void {
    this.sockets.get(backend)!.emit('close')
  }

  /** The server notices which connections were ended by us. */
  endQuit(): void {
    for (const [backend, socket] of this.sockets) if (socket.ended && backend.state !== 'closed') this.end(backend)
  }

  /** ConnUsed and ConnFree over all hostgroups. */
  gauges(): { used: number; free: number } {
    const sum = { used: 0, free: 0 }
    for (const { connUsed, connFree } of this.pool.report()) {
      sum.used += connUsed
      sum.free += connFree
    }
    return sum
  }
}
