import pino from 'pino'
import { binlogPosition } from '../../../../src/control/monitor/binlog-position.js'
import { CoverageTracker, type Covered, type PositionPoll } from '../../../../src/control/monitor/coverage.js'
import { dialectOf } from '../../../../src/control/monitor/monitor-queries.js'
import type { Flavor, ServerHealth } from '../../../../src/shared/snapshot.js'
import { type Candidate, TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { serverEntry, snapshotOf } from '../fixture.js'

/** One transaction: whose GTID it has, and a number that no other one has in any history. */
export interface Transaction {
  readonly server: number
  readonly sequence: number
  readonly serial: number
}

/** A server's data are the beginning of a history; servers that lost a failover have one of their own from somewhere on. */
export class Server {
  readonly number: number
  readonly name: string
  log: Transaction[] = []
  /** MariaDB: the last one that it has applied as a replica. */
  applied: Transaction | null = null
  source: Server | null = null
  readOnly = true
  up = true

  constructor(number: number) {
    this.number = number
    this.name = `server${number}`
  }

  get id(): string {
    return `${this.name}:3306`
  }

  has(index: number, { serial }: Transaction): boolean {
    return this.log[index]?.serial === serial
  }

  /** How much of another history it has, up to `length`. */
  sharedWith(log: readonly Transaction[], length: number): number {
    let shared = Math.min(length, this.log.length)
    while (shared > 0 && this.log[shared - 1]?.serial !== log[shared - 1]?.serial) shared--
    return shared
  }
}

type Found = Pick<PositionPoll, 'state' | 'binlog' | 'channels'>

/** What a poll of a server is about to tell. */
interface OpenPoll {
  readonly askedMs: number
  found: Found | null
}

export interface WorldOptions {
  readonly flavor: Flavor
  /** MariaDB: whether replicas write to their binary log what they apply. */
  readonly logsUpdates: boolean
  /** MySQL: without GTIDs, by places in binary logs. */
  readonly byLog: boolean
  readonly random: () => number
}

/**
 * Servers that replicate by GTID, or by places in binary logs, and change their primary, the monitor that polls them, and a worker that is told of it, all
 * in steps of a few milliseconds that come in any order. Everybody writes through the worker.
 */
export class World {
  readonly options: WorldOptions
  readonly view: TopologyView
  readonly servers = [1, 2, 3, 4].map((number) => new Server(number))
  now = 1000
  failovers = 0
  losses = 0
  primary: Server = this.servers[0]
  /** Whom the monitor takes for the primary. */
  #named: Server = this.primary
  readonly #seenReadOnly = new Set<Server>()
  readonly #polls = new Map<Server, OpenPoll>()
  /** To which the monitor has to connect anew. */
  readonly #unconnected = new Set<Server>()
  readonly #health = new Map<Server, ServerHealth>()
  readonly #tracker = new CoverageTracker(pino({ enabled: false }))
  /** What the worker has not been told yet, oldest first. */
  readonly #messages: (() => void)[] = []
  /** What is left to do of the change of the primary that is under way. */
  #plan: (() => void)[] = []
  #serial = 0
  #sequence = 0
  #version = 1

  constructor(options: WorldOptions) {
    this.options = options
    this.primary.readOnly = false
    for (const server of this.servers) if (server !== this.primary) server.source = this.primary
    this.view = new TopologyView(this.#snapshot())
  }

  below(limit: number): number {
    return Math.floor(this.options.random() * limit)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  byCandidate({ entry }: Candidate): Server {
    return this.servers.find(({ id }) => id === entry.id)!
  }

  get viewPrimary(): Server | null {
    const [candidate] = this.view.online(0)
    return candidate === undefined ? null : this.byCandidate(candidate)
  }

  /** Through the worker, on the server that it takes for the primary. @returns null: that does not take it */
  write(): Transaction | null {
    const server = this.viewPrimary
    if (server === null || !server.up || server.readOnly) return null
    const { number, log } = server
    // MariaDB counts on from what the domain has; each MySQL server counts its own.
    const before = this.options.flavor === 'mariadb' ? log.at(-1) : log.findLast((one) => one.server === number)
    const transaction = { server: number, sequence: (before?.sequence ?? 0) + 1, serial: ++this.#serial }
    log.push(transaction)
    return transaction
  }

  gtidOf({ server, sequence }: Transaction): string {
    if (this.options.byLog) return ''
    return this.options.flavor === 'mariadb' ? `0-${server}-${sequence}` : `${uuidOf(server)}:${sequence}`
  }

  step(): void {
    this.now += 0.01 + this.options.random() * 4
    const what = this.below(100)
    if (what < 30) this.#replicate(this.pick(this.servers))
    else if (what < 70) this.#poll(this.pick(this.servers))
    else if (what < 95) for (const message of this.#messages.splice(0, 1 + this.below(4))) message()
    else if (this.#plan.length > 0) this.#plan.shift()!()
    // A worker that has missed a whole change takes a replica for the primary, and nothing that it could know says otherwise.
    else if (this.viewPrimary === this.primary && this.below(8) === 0)
      this.#plan = this.below(3) === 0 ? this.#failover() : this.#switchover()
  }

  #replicate(replica: Server): void {
    const { source } = replica
    if (source === null || !source.up || !replica.up) return
    const { length } = replica.log
    const missing = source.log.slice(length, length + (this.below(2) === 0 ? 1 + this.below(3) : source.log.length))
    replica.log.push(...missing)
    replica.applied = replica.log.at(-1) ?? replica.applied
  }

  // Changes of the primary. ----------------------------------------------------------------------------------------------

  #switchover(): (() => void)[] {
    const old = this.primary
    const next = this.pick(this.servers.filter((server) => server.source === old))
    return [
      () => {
        old.readOnly = true
      },
      () => this.#catchUp(next, old),
      () => this.#promote(next),
      ...this.servers.filter((server) => server !== next).map((server) => () => this.#follow(server, next)),
    ]
  }

  /** The primary dies. What its successor has not received is lost, and who has received it goes astray. */
  #failover(): (() => void)[] {
    const old = this.primary
    const next = this.pick(this.servers.filter((server) => server.source === old))
    const others = this.servers.filter((server) => server !== next && server !== old)
    const astray = others.filter((server) => server.log.length > next.log.length)
    return [
      () => this.#crash(old),
      () => {
        for (const server of this.servers) server.source = null
        this.#promote(next)
        if (next.sharedWith(old.log, old.log.length) < old.log.length) this.losses++
      },
      ...others.filter((server) => !astray.includes(server)).map((server) => () => this.#followOrRebuild(server, next)),
      () => this.#untilKnown(),
      // An operator needs a while.
      ...Array.from({ length: 20 }, () => () => {}),
      ...[...astray, old].map((server) => () => this.#rebuild(server, next)),
    ]
  }

  /** Nobody has a dead primary back as a replica before it is known to be dead. */
  #untilKnown(): void {
    if (this.viewPrimary !== this.primary) this.#plan.unshift(() => this.#untilKnown())
  }

  #catchUp(replica: Server, source: Server): void {
    replica.log.push(...source.log.slice(replica.log.length))
    replica.applied = replica.log.at(-1) ?? null
  }

  #promote(next: Server): void {
    this.failovers++
    next.source = null
    next.readOnly = false
    this.primary = next
  }

  #follow(server: Server, source: Server): void {
    server.readOnly = true
    // SET GLOBAL gtid_slave_pos = @@gtid_current_pos, or MASTER_USE_GTID = current_pos.
    server.applied = server.log.at(-1) ?? null
    server.source = source
  }

  #followOrRebuild(server: Server, source: Server): void {
    const isAhead = server.sharedWith(source.log, server.log.length) < server.log.length
    if (isAhead) this.#rebuild(server, source)
    else this.#follow(server, source)
  }

  #crash(server: Server): void {
    server.up = false
    this.view.doubt(server.id, this.now)
    this.#polls.delete(server)
    this.#unconnected.add(server)
  }

  /** Its data are replaced by a copy of the source's, some of which is older. */
  #rebuild(server: Server, source: Server): void {
    this.#crash(server)
    server.log = source.log.slice(0, source.log.length - this.below(5))
    server.up = true
    this.#follow(server, source)
  }

  // The monitor. ---------------------------------------------------------------------------------------------------------

  foundOn(server: Server): Found {
    const state = { lacksGtids: this.options.byLog, logsApplied: true, ...this.positionsOf(server) }
    // Not each round asks for them.
    if (this.below(4) === 0) return { state, binlog: undefined, channels: undefined }
    const place = (of: Server) => binlogPosition(uuidOf(of.number), 'binlog.000001', 4 + server.log.length)
    const { source } = server
    return { state, binlog: place(server), channels: source === null ? [] : [{ executed: place(source) }] }
  }

  private positionsOf(server: Server) {
    const { flavor, logsUpdates } = this.options
    const { log, applied, number, readOnly } = server
    const text = (one: Transaction | null | undefined) => (one == null ? '' : this.gtidOf(one))
    if (flavor === 'mysql') {
      const gtidExecuted = this.options.byLog ? '' : mysqlSet(log)
      return { readOnly, gtidExecuted, gtidOwned: '', mariadbPositions: null }
    }
    const binlog = text(logsUpdates ? log.at(-1) : log.findLast((one) => one.server === number))
    return { readOnly, gtidExecuted: '', gtidOwned: '', mariadbPositions: { binlog, slave: text(applied) } }
  }

  /** A poll is asked, answered and taken in at three different moments. */
  #poll(server: Server): void {
    const open = this.#polls.get(server)
    if (!server.up) return this.#failed(server)
    if (this.#unconnected.delete(server)) this.#tracker.doubt(server.id)
    if (open === undefined) this.#polls.set(server, { askedMs: this.now, found: null })
    else if (open.found === null) open.found = this.foundOn(server)
    else {
      this.#polls.delete(server)
      this.#polled(server, open.askedMs, open.found)
    }
  }

  #failed(server: Server): void {
    const before = this.#health.get(server)
    if (before !== undefined) this.#health.set(server, { ...before, alive: false })
    this.#report()
    if (server !== this.#named) return
    const next = this.servers.find((one) => one.up && !one.readOnly)
    if (next !== undefined) this.#name(next)
  }

  #polled(server: Server, askedMs: number, found: Found): void {
    const { state } = found
    const named = this.#seenReadOnly.has(this.#named) ? null : this.#named.id
    const dialect = dialectOf(this.options.flavor === 'mysql' ? '9.7.0' : '10.11.6-MariaDB')
    const covered = this.#tracker.polled(server.id, named, { ...found, askedMs, answeredMs: this.now, dialect })
    this.#health.set(server, healthOf(server, covered))
    this.#report()
    const was = this.#seenReadOnly.has(server)
    if (state.readOnly) this.#seenReadOnly.add(server)
    else this.#seenReadOnly.delete(server)
    if (!state.readOnly && this.#seenReadOnly.has(this.#named)) this.#name(server)
    else if (server === this.#named && was !== state.readOnly) this.#publish()
  }

  #name(server: Server): void {
    if (this.#named === server) return
    this.#named = server
    this.#seenReadOnly.delete(server)
    this.#publish()
  }

  #publish(): void {
    const snapshot = this.#snapshot()
    this.#messages.push(() => this.view.applySnapshot(snapshot))
  }

  #snapshot() {
    const isPrimary = (server: Server) => server === this.#named && !this.#seenReadOnly.has(server)
    return snapshotOf(
      this.servers.map((server) => serverEntry(server.name, isPrimary(server) ? 0 : 1)),
      { version: this.#version++, greeting: { ...GREETING, flavor: this.options.flavor } },
    )
  }

  #report(): void {
    const report = { sequence: ++this.#sequence, servers: [...this.#health.values()] }
    this.#messages.push(() => this.view.applyHealth(report))
  }
}

const GREETING = { serverVersion: '9.7.0', collation: 255, capabilities: 0, mariadbCapabilities: 0 }

function healthOf({ id }: Server, covered: Covered): ServerHealth {
  const { gtidExecuted, toldByLog, coversPrimaryAt, incarnation } = covered
  return { id, alive: true, lagMs: 0, lagReason: '', gtidExecuted, toldByLog, coversPrimaryAt, incarnation }
}

function uuidOf(server: number): string {
  return `3e11fa47-71ca-11e1-9e33-00000000000${server}`
}

function mysqlSet(log: readonly Transaction[]): string {
  const last = new Map<number, number>()
  for (const { server, sequence } of log) last.set(server, sequence)
  return [...last].map(([server, sequence]) => `${uuidOf(server)}:1-${sequence}`).join(',')
}
