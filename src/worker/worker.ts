import type { Socket } from 'node:net'
import { type RsaKeyPair, rsaKeyPairOnDemand } from '../../protocol/index.js'
import { RuleSet } from '../rules/index.js'
import { boundedCache } from '../shared/bounded-cache.js'
import { TlsContexts } from '../shared/client-tls.js'
import { monotonicMs } from '../shared/clock.js'
import { CommitTimes } from '../shared/commit-times.js'
import { type LatencyCounters, newGlobalCounters, type WorkerCounters } from '../shared/counters.js'
import { ProxyError } from '../shared/errors.js'
import type { RouteAnswer, RouteQuestion } from '../shared/explanation.js'
import { byCount, COUNTED_BY, type CountedBy, type FromWorker, SESSION_IDS, type ServerChange } from '../shared/ipc.js'
import type { Logger } from '../shared/log.js'
import { LoginThrottle } from '../shared/login-throttle.js'
import { NetworkList } from '../shared/networks.js'
import { NO_QUERY_RULES, type QueryRules } from '../shared/query-rules.js'
import type { HealthReport, ListenAddress, ServerId, ServerStatus, Snapshot, UserEntry } from '../shared/snapshot.js'
import type { UserRow } from '../shared/worker-tables.js'
import { Classifier, type ClassifyOptions, VERBS } from '../sql/index.js'
import { OthersWay } from './announcements.js'
import { connectBackend } from './backend/backend-connect.js'
import { CacheChannel } from './cache/cache-peers.js'
import { ResultCache } from './cache/result-cache.js'
import type { ClientAddress } from './client/client-address.js'
import { ClientCounts } from './client/client-counts.js'
import { Listeners } from './client/listeners.js'
import { CausalKeys } from './consistency/causal-keys.js'
import { CausalChannel } from './consistency/causal-peers.js'
import type { WorkerContext } from './context.js'
import { Lanes } from './execution/lanes.js'
import { admit } from './login/session-admit.js'
import { logIn } from './login/session-login.js'
import { Verifiers } from './login/verifiers.js'
import { ConnectionShares } from './pool/connection-shares.js'
import { leaveServers, leaveWithSession } from './pool/leave-servers.js'
import { Pool } from './pool/pool.js'
import { keepUp, spareConnections } from './pool/pool-upkeep.js'
import { warmedServers, warmUp } from './pool/pool-warming.js'
import { DryRuns } from './routing/dry-run.js'
import { explainRoute } from './routing/explain.js'
import { LearnedWrites } from './routing/learned-writes.js'
import { TopologyView } from './routing/topology-view.js'
import { Mirrors } from './rules/mirrors.js'
import { RuleLog } from './rules/rule-log.js'
import { errPacket } from './session/answers.js'
import { isDump } from './session/command.js'
import { killRunning } from './session/killer.js'
import { newLongPin } from './session/long-pins.js'
import { processRow } from './session/process-row.js'
import { Session, type SessionOwner } from './session/session.js'
import { SessionSearch } from './session/session-search.js'
import { isStranded } from './session/stranded.js'
import { Sweeper } from './session/sweeper.js'
import { shortestLimit } from './session/time-limits.js'
import { ServerChanges } from './state/server-changes.js'
import { SharedStatements } from './statements/shared-statement.js'
import { DigestStatistics } from './statistics/digest-statistics.js'
import { Digests } from './statistics/digests.js'
import { ServerErrors } from './statistics/server-errors.js'

const KNOWN_SCHEMAS_MAX = 10_000
const KNOWN_SCHEMAS_MS = 10_000
/** How often idle server connections are looked after. */
const UPKEEP_MS = 1_000
/** How long a worker that ends lets clients log in that it has accepted before. */
const LOGINS_MS = 1_000

/** One process of the data plane: its listeners, its sessions and what they share. */
export class Worker implements WorkerContext, SessionOwner {
  readonly log: Logger
  readonly number: number
  readonly view: TopologyView
  readonly pool: Pool
  readonly shares: ConnectionShares
  readonly lanes: Lanes
  readonly classifier = new Classifier()
  readonly classifyOptions: ClassifyOptions
  readonly digests: Digests
  readonly digestStatistics: DigestStatistics
  readonly serverErrors = new ServerErrors()
  readonly verbs: (LatencyCounters | undefined)[] = []
  readonly counters = newGlobalCounters()
  readonly sharedStatements: SharedStatements
  readonly causalChannel: CausalChannel
  readonly causal: CausalKeys
  readonly commits: CommitTimes
  readonly cacheChannel: CacheChannel
  readonly cache: ResultCache
  readonly changes: ServerChanges
  readonly learned = new LearnedWrites()
  rules = new RuleSet(NO_QUERY_RULES)
  readonly ruleLog = new RuleLog(monotonicMs)
  readonly dryRuns = new DryRuns()
  readonly rsaKeyPair: () => RsaKeyPair = rsaKeyPairOnDemand()
  readonly verifiers = new Verifiers()
  readonly throttle = new LoginThrottle({ firstMs: 1_000, maxMs: 60_000 })
  readonly knownSchemas = boundedCache<string, true>(KNOWN_SCHEMAS_MAX, { ttl: KNOWN_SCHEMAS_MS })

  readonly #send: (message: FromWorker) => void
  readonly #mirrors = new Mirrors(this)
  readonly #sessions = new Map<number, Session>()
  readonly sessionSearch: SessionSearch
  readonly #proxyErrors: Record<string, number> = {}
  readonly #tls = new TlsContexts()
  /** Connections accepted and not yet ended, logged in or not: all under an empty name, and by address; sessions by user. */
  readonly clients = byCount(
    (by) =>
      new ClientCounts(
        (name) => this.#clientLimit(by, name),
        (counts) => this.#send({ type: 'client-counts', by, counts }),
      ),
  )
  #proxies = new NetworkList([])
  #users = new Map<string, UserEntry>()
  /** Servers that did not answer the last check. */
  #silent: ReadonlySet<ServerId> = new Set()
  #readOnlyFunctions = new Set<string>()
  readonly #listeners: Listeners
  readonly #sweeper = new Sweeper((now) => this.#sweep(now))
  /** Monotonic ms when idle server connections are looked after next. */
  #upkeepAt = 0
  /** The shortest limit of time, in ms. */
  #shortestLimit = Number.POSITIVE_INFINITY
  #nextConnection = 1
  #draining = false
  /** Monotonic ms. */
  #drainUntil = Number.POSITIVE_INFINITY

  constructor(
    number: number,
    snapshot: Snapshot,
    log: Logger,
    send: (message: FromWorker) => void,
    commits = CommitTimes.open(''),
  ) {
    this.number = number
    this.log = log
    this.commits = commits
    this.#send = send
    this.sessionSearch = new SessionSearch(this.#sessions, this, send)
    this.#listeners = new Listeners((socket) => this.#accept(socket), log)
    this.view = new TopologyView(snapshot)
    const workers = () => this.view.snapshot.workers
    this.changes = new ServerChanges(send, workers, log)
    const way = new OthersWay(workers, commits, () => this.changes.reachAll())
    this.causalChannel = new CausalChannel(send, way)
    const { tokensMax, tokenTtlMs } = snapshot.consistency
    this.causal = new CausalKeys(this.causalChannel, monotonicMs(), tokensMax, tokenTtlMs)
    this.cacheChannel = new CacheChannel(send, way)
    this.cache = new ResultCache(this.cacheChannel, this.counters, snapshot.queryCache, snapshot.workers, monotonicMs)
    this.sharedStatements = new SharedStatements(this.counters, snapshot.limits.maxStmtsCache)
    this.shares = new ConnectionShares(number, monotonicMs, () => this.pool, send)
    this.pool = new Pool({
      now: monotonicMs,
      connect: connectBackend,
      share: (candidate) => this.shares.in(candidate),
      shareOf: (server) => this.shares.of(server),
      isShort: (server) => this.shares.isShort(server),
      diagnosticsHoldMs: () => this.view.snapshot.limits.diagnosticsHoldMs,
      // An even part: what one worker does not open in a second is not worth a message to another one.
      openingsPerSecond: (hostgroup) => this.view.terms.openingsPerSecond(hostgroup) / this.view.snapshot.workers,
      suspect: (server, reason) => this.#suspect(server, reason),
      initRefused: (server, message) => this.log.error({ server }, message),
    })
    this.digests = new Digests(snapshot.digests, Math.random)
    this.digestStatistics = new DigestStatistics(snapshot.digests.maxEntries)
    this.lanes = new Lanes(this.pool, monotonicMs, (lane, login) => void killRunning(lane, login, this))
    this.classifyOptions = {
      flavor: snapshot.greeting.flavor,
      ansiQuotes: false,
      noBackslashEscapes: false,
      truncated: false,
      schema: '',
      catalogue: { readsAtMost: (schema, name) => this.#readOnlyFunctions.has(`${schema.toLowerCase()}.${name}`) },
      ignoreSpace: false,
      backslashTrailBytes: false,
    }
    this.#take(snapshot)
  }

  /** Makes what the first client would have to wait for, and all others with it. */
  prepare(): void {
    this.rsaKeyPair()
  }

  /** Binds the listeners of the snapshot. Rejects with the address and the system's message. */
  async listen(): Promise<void> {
    const addresses = this.#addresses
    if (addresses !== null) await this.#listeners.open(addresses)
    // What was written under causal keys until now it has not been told.
    this.causal.replicasChanged(monotonicMs())
    this.#sweeper.start()
  }

  /** null: nobody is accepted now. */
  get #addresses(): readonly ListenAddress[] | null {
    const { listen, paused } = this.view.snapshot
    return paused === true || this.#draining ? null : listen
  }

  /** Calls back, at once if it can, when clients are accepted, or are not, as the last snapshot says. */
  followPause(done: () => void): void {
    const addresses = this.#addresses
    if (this.#listeners.follows(addresses)) done()
    else void this.#listeners.follow(addresses).then(done)
  }

  applySnapshot(snapshot: Snapshot): void {
    const before = this.view.snapshot
    this.view.applySnapshot(snapshot)
    if (onlineServers(before) !== onlineServers(snapshot)) this.causal.replicasChanged(monotonicMs())
    // Another primary may lack what was read from the last one.
    if (writersOf(before, this.view) !== writersOf(snapshot, this.view)) this.cache.clear()
    this.#take(snapshot)
    const [statusesBefore, statuses] = [statusesOf(before), statusesOf(snapshot)]
    for (const [id, was] of statusesBefore) {
      const now = statuses.get(id) ?? []
      const isCut = now.length > 0 && now.every((status) => status === 'OFFLINE_HARD')
      // Of a server that is removed nobody hears any more: one that did not answer is not waited for.
      const isLost = now.length === 0 && was.every((status) => status === 'SHUNNED')
      if (isCut || isLost) this.pool.closeServer(id, isCut ? 'the server was taken offline' : 'the server was removed')
    }
    this.#leaveSilentServers()
    this.#leaveServers(monotonicMs())
    this.#sendStrandedAway()
  }

  #sendStrandedAway(): void {
    const stranded = [...this.#sessions.values()].filter(
      (session) => !session.draining && isStranded(session, this.view),
    )
    for (const session of stranded) session.drain()
    if (stranded.length === 0) return
    const who = `${stranded.length} sessions whose passwords are known to their clients alone`
    this.log.info(`${who} are to log in again: another server is the primary`)
  }

  /** Servers that are OFFLINE_SOFT, or removed, finish what they do and get nothing new: what is idle there is closed. */
  #leaveServers(now: number): void {
    const { snapshot } = this.view
    const staying = new Set(snapshot.servers.filter(({ status }) => isInUse(status)).map(({ id }) => id))
    const isLeaving = (id: ServerId): boolean => !staying.has(id)
    if (![...this.pool.servers].some(({ id, backends }) => backends.size > 0 && isLeaving(id))) return
    leaveServers(this.pool, isLeaving, now, snapshot.limits.diagnosticsHoldMs)
    for (const { phase, execution } of this.#sessions.values()) {
      if (phase === 'ready') leaveWithSession(execution, this.pool, isLeaving)
    }
  }

  applyRules(rules: QueryRules): void {
    if (rules.version === this.rules.version) return
    this.reportRuleHits()
    this.rules = new RuleSet(rules)
    this.digests.needed = this.rules.asksForDigest
    this.#limitsChanged()
  }

  /** Tells which rules have matched since this was asked last. */
  reportRuleHits(): void {
    const hits = this.rules.takeHits()
    if (hits !== null) this.#send({ type: 'rule-hits', rulesVersion: this.rules.version, hits })
  }

  applyHealth(health: HealthReport): void {
    this.view.applyHealth(health)
    this.#silent = new Set(health.servers.filter(({ alive }) => !alive).map(({ id }) => id))
    this.#leaveSilentServers()
  }

  /**
   * A server that is known to be dead may hold its connections open for ever: nobody is to wait for it. That it does not
   * answer and that it is SHUNNED for it are told in two messages, in either order.
   */
  #leaveSilentServers(): void {
    for (const { id, status } of this.view.snapshot.servers) {
      if (status === 'SHUNNED' && this.#silent.has(id)) this.pool.closeServer(id, 'the server does not answer')
    }
  }

  /**
   * Stops accepting, and ends each session at its next quiet moment. Resolves when none is left, or the limit is over.
   * @param limitMs infinite: as long as it takes; a second call sets another limit
   */
  async drain(limitMs = this.view.snapshot.limits.shutdownTimeoutMs): Promise<void> {
    this.#drainUntil = monotonicMs() + limitMs
    if (this.#draining) return
    this.#draining = true
    this.#listeners.close()
    for (const session of [...this.#sessions.values()]) {
      session.drain()
      if (session.phase === 'closed') continue
      // A reader of the binary log has no quiet moment; it goes on elsewhere where it has been interrupted.
      if (isDump(session.execution.command.code)) session.close('shutdown')
    }
    const loginsUntil = monotonicMs() + LOGINS_MS
    const isBusy = (now: number): boolean =>
      this.#sessions.size > 0 || (this.clients.all.own('') > 0 && now < loginsUntil)
    for (let now = monotonicMs(); isBusy(now) && now < this.#drainUntil; now = monotonicMs()) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    for (const session of [...this.#sessions.values()]) session.close('shutdown limit')
    this.#sweeper.stop()
  }

  report(): WorkerCounters {
    const cpu = process.cpuUsage()
    return {
      global: {
        ...this.counters,
        clientConnectionsConnected: this.clients.all.own(''),
        queryCacheEntries: this.cache.size,
        queryCacheMemoryBytes: this.cache.memoryBytes,
        ...this.#digestCounters(),
      },
      servers: this.pool.report(),
      proxyErrors: { ...this.#proxyErrors },
      learnedDigests: this.learned.report(),
      commands: Object.fromEntries(this.verbs.flatMap((one, verb) => (one === undefined ? [] : [[VERBS[verb], one]]))),
      dryRun: this.dryRuns.report(),
      residentBytes: process.memoryUsage.rss(),
      cpuUs: cpu.user + cpu.system,
      cpuSystemUs: cpu.system,
      ...this.#sessionCounts(),
    }
  }

  #sessionCounts() {
    let sessionsInTransaction = 0
    let sessionsBusy = 0
    for (const { execution, phase } of this.#sessions.values()) {
      if (execution.facts.inTransaction) sessionsInTransaction++
      if (phase !== 'ready') sessionsBusy++
    }
    return { sessionsInTransaction, sessionsBusy }
  }

  /** Sessions of each user. */
  *users(): Generator<UserRow> {
    for (const [user, sessions] of this.clients.user.entries()) yield { user, sessions }
  }

  #digestCounters() {
    const { digests, digestStatistics } = this
    return {
      digestsKnown: digests.size,
      digestBytes: digests.bytes,
      digestRows: digestStatistics.size,
      digestsEvicted: digests.evictions,
      digestRowsEvicted: digestStatistics.evictions,
    }
  }

  processList() {
    return [...this.#sessions.values()].map((session) => processRow(session, this.number))
  }

  /** null: this worker has no session of that id. */
  explain(question: RouteQuestion): RouteAnswer | null {
    const session = question.session === 0 ? null : this.#sessions.get(question.session)
    return session === undefined ? null : explainRoute(question, session, this, monotonicMs())
  }

  // What sessions share. -----------------------------------------------------------------------------------------------

  countError(code: string): void {
    this.#proxyErrors[code] = (this.#proxyErrors[code] ?? 0) + 1
  }

  findUser(name: string): UserEntry | null {
    return this.#users.get(name) ?? null
  }

  serverTls() {
    return this.#tls.server(this.view.snapshot.tls)
  }

  trustsProxyHeader(remoteAddress: string | undefined): boolean {
    return this.#proxies.contains(remoteAddress)
  }

  enterAddress(socket: Socket, { host, local }: ClientAddress): ProxyError | null {
    if (local) return null
    const { address } = this.clients
    if (address.isFull(host)) {
      this.counters.tooManyConnections++
      const limit = this.#clientLimit('address', host)
      const message = `sluice: too many connections from ${host} (max_connections_per_address: ${limit})`
      return new ProxyError('too-many-connections-of-address', 1040, '08004', message)
    }
    address.enter(host)
    socket.once('close', () => address.leave(host))
    return null
  }

  accountsChanged(): void {
    this.pool.accountsChanged()
    this.verifiers.doubt()
    this.knownSchemas.clear()
  }

  /** Takes what a client of another worker has changed. */
  changedElsewhere({ globalsOf, accounts }: ServerChange): void {
    for (const server of globalsOf) this.view.globalsSet(server)
    if (accounts) this.accountsChanged()
  }

  clientAborted(host: string, reason: string): void {
    this.counters.clientConnectionsAborted++
    this.log.debug({ client: host, reason }, 'a client left before it was logged in')
  }

  ruled(session: Session): void {
    this.#mirrors.copy(session.execution)
  }

  sessionClosed(session: Session): void {
    this.#sessions.delete(session.id)
    this.clients.user.leave(session.user)
  }

  userChanged(session: Session, before: string, sequence: number): void {
    this.clients.user.leave(before)
    admit(session, this, sequence, this.#countUser(session))
  }

  userKept(refused: string, kept: string): void {
    this.clients.user.leave(refused)
    this.clients.user.enter(kept)
  }

  // Clients come. ------------------------------------------------------------------------------------------------------

  #accept(socket: Socket): void {
    const { all } = this.clients
    if (this.#draining) return void socket.destroy()
    if (all.isFull('')) return this.#refuse(socket)
    all.enter('')
    this.counters.clientConnectionsCreated++
    socket.once('close', () => all.leave(''))
    const id = this.#nextSessionId()
    logIn(socket, id, this, (result) => {
      const session = new Session(id, result, this, this)
      this.#sessions.set(id, session)
      session.draining = this.#draining
      admit(session, this, result.sequence, this.#countUser(session))
    })
  }

  /** @returns the user's limit of connections when this one exceeds it, else null */
  #countUser({ user }: Session): number | null {
    this.clients.user.enter(user)
    return this.clients.user.isOver(user) ? this.#clientLimit('user', user) : null
  }

  /** Over all workers; 0: no limit. */
  #clientLimit(by: CountedBy, name: string): number {
    const { limits } = this.view.snapshot
    switch (by) {
      case 'all':
        return limits.maxConnections
      case 'address':
        return limits.maxConnectionsPerAddress
      case 'user':
        return this.#users.get(name)?.maxConnections ?? 0
    }
  }

  #nextSessionId(): number {
    const { first, workersMax } = SESSION_IDS
    return first + ((this.#nextConnection++ * workersMax + (this.number % workersMax)) % first)
  }

  #refuse(socket: Socket): void {
    this.counters.tooManyConnections++
    this.countError('too-many-connections')
    socket.on('error', () => {})
    // Before the handshake nothing has been agreed on, so the error has no SQLSTATE (capabilities 0), as the server's.
    socket.end(errPacket(0, { errno: 1040, sqlState: '08004', message: 'Too many connections' }, 0))
    socket.destroySoon()
  }

  // ---------------------------------------------------------------------------------------------------------------------

  #take(snapshot: Snapshot): void {
    this.shares.configure(snapshot)
    this.sharedStatements.max = snapshot.limits.maxStmtsCache
    this.digests.configure(snapshot.digests)
    this.digestStatistics.rowsMax = snapshot.digests.maxEntries
    this.causal.configure(snapshot.consistency.tokensMax, snapshot.consistency.tokenTtlMs)
    this.cache.configure(snapshot.queryCache, snapshot.workers)
    this.#limitsChanged()
    this.#users = new Map(snapshot.users.map((user) => [user.name, user]))
    this.#readOnlyFunctions = new Set(snapshot.readOnlyFunctions)
    this.#proxies = new NetworkList(snapshot.proxyProtocolNetworks)
    for (const by of COUNTED_BY) this.clients[by].configure(snapshot.workers > 1)
  }

  #limitsChanged(): void {
    const { limits, users } = this.view.snapshot
    this.#shortestLimit = Math.min(shortestLimit(limits, users), this.rules.timeoutMsMin)
  }

  #suspect(server: ServerId, reason: string): void {
    this.view.doubt(server, monotonicMs())
    this.#send({ type: 'suspicion', server, reason })
  }

  #keepUp(now: number): void {
    this.#upkeepAt = now + UPKEEP_MS
    const { snapshot } = this.view
    const spare = ({ id }: { id: ServerId }): number =>
      spareConnections(this.shares.of(id), this.view.terms.freeConnectionsPct(id))
    keepUp(this.pool, snapshot.limits, now, spare)
    this.#leaveServers(now)
    this.#endStalled(snapshot.limits.netWriteTimeoutMs)
    if (!this.view.terms.warmsAny) return
    warmUp(this.pool, snapshot.limits, spare, warmedServers(this.view), Math.random)
  }

  /** What is counted is looks: while this process was stopped itself nobody could take anything. @param limitMs 0: none */
  #endStalled(limitMs: number): void {
    for (const session of limitMs === 0 ? [] : this.#sessions.values()) {
      if (session.lookForStall() * UPKEEP_MS >= limitMs) session.closeForStall()
    }
  }

  /** Ends what has taken too long. @returns when something may have, next */
  #sweep(now: number): number {
    const { waitTimeoutMs, longPinTimeMs } = this.view.snapshot.limits
    const limit = waitTimeoutMs === 0 ? Number.POSITIVE_INFINITY : waitTimeoutMs
    if (now >= this.#upkeepAt) this.#keepUp(now)
    // What begins behind this sweep is not due sooner.
    let next = now + this.#shortestLimit
    for (const session of this.#sessions.values()) {
      next = Math.min(next, session.timed.enforce(now))
      const pin = longPinTimeMs === 0 ? null : newLongPin(session, now, longPinTimeMs)
      if (pin !== null) this.#send({ type: 'long-pin', pin })
      const own = session.execution.state.waitTimeoutMs
      if (session.phase === 'ready' && now - session.since > Math.min(own, limit)) session.closeForInactivity()
    }
    return next
  }
}

/** Of each server, in all its hostgroups. */
function statusesOf({ servers }: Snapshot): Map<ServerId, ServerStatus[]> {
  const statuses = new Map<ServerId, ServerStatus[]>()
  for (const { id, status } of servers) statuses.set(id, [...(statuses.get(id) ?? []), status])
  return statuses
}

function isInUse(status: ServerStatus): boolean {
  return status === 'ONLINE' || status === 'SHUNNED'
}

/** The servers that are in use, to be compared. */
function onlineServers({ servers }: Snapshot): string {
  const online = servers.filter(({ status }) => status === 'ONLINE')
  return online.map(({ id, hostgroup }) => `${hostgroup} ${id}`).join('\n')
}

/** The primaries, to be compared; empty while there is none. */
function writersOf({ servers }: Snapshot, view: TopologyView): string {
  return servers
    .filter(({ hostgroup }) => view.isWriter(hostgroup))
    .map(({ id, hostgroup }) => `${hostgroup} ${id}`)
    .join('\n')
}

/** What an address is called in messages. */
export function addressText({ host, port, path }: ListenAddress): string {
  return path ?? `${host?.includes(':') ? `[${host}]` : host}:${port}`
}
