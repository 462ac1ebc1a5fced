import type { Socket } from 'node:net'
import type { LRUCache } from 'lru-cache'
import type { RsaKeyPair } from '../../protocol/index.js'
import type { RuleSet } from '../rules/index.js'
import type { ServerTlsContext } from '../shared/client-tls.js'
import type { CommitTimes } from '../shared/commit-times.js'
import type { GlobalCounters, LatencyCounters } from '../shared/counters.js'
import type { ProxyError } from '../shared/errors.js'
import type { SessionKill, SessionPlace, SessionWanted } from '../shared/ipc.js'
import type { Logger } from '../shared/log.js'
import type { LoginThrottle } from '../shared/login-throttle.js'
import type { UserEntry } from '../shared/snapshot.js'
import type { Classifier, ClassifyOptions } from '../sql/index.js'
import type { ResultCache } from './cache/result-cache.js'
import type { ClientAddress } from './client/client-address.js'
import type { CausalKeys } from './consistency/causal-keys.js'
import type { Lanes } from './execution/lanes.js'
import type { Verifiers } from './login/verifiers.js'
import type { Pool } from './pool/pool.js'
import type { DryRuns } from './routing/dry-run.js'
import type { LearnedWrites } from './routing/learned-writes.js'
import type { TopologyView } from './routing/topology-view.js'
import type { RuleLog } from './rules/rule-log.js'
import type { ServerChanges } from './state/server-changes.js'
import type { SharedStatements } from './statements/shared-statement.js'
import type { DigestStatistics } from './statistics/digest-statistics.js'
import type { Digests } from './statistics/digests.js'
import type { ServerErrors } from './statistics/server-errors.js'

/** Sessions of all workers, which ask each other through the control plane. */
export interface Sessions {
  /** A session by one of its ids; null: there is none, or the control plane is gone. */
  find(wanted: SessionWanted): Promise<SessionPlace | null>
  /** Tells a session, wherever it is, that a server has allowed to kill it. */
  kill(kill: SessionKill): void
}

/** What all sessions of a worker share. */
export interface WorkerContext {
  readonly log: Logger
  readonly view: TopologyView
  readonly pool: Pool
  readonly lanes: Lanes
  readonly classifier: Classifier
  /** Filled for each statement with what is true of its session. */
  readonly classifyOptions: ClassifyOptions
  readonly digests: Digests
  readonly digestStatistics: DigestStatistics
  readonly serverErrors: ServerErrors
  /** Statements by number of verb. */
  readonly verbs: (LatencyCounters | undefined)[]
  readonly counters: GlobalCounters
  readonly causal: CausalKeys
  readonly commits: CommitTimes
  readonly cache: ResultCache
  readonly learned: LearnedWrites
  /** Those in force. */
  readonly rules: RuleSet
  readonly ruleLog: RuleLog
  readonly dryRuns: DryRuns
  readonly sharedStatements: SharedStatements
  /** Counts an error of Sluice's own by its code. */
  countError(code: string): void
  findUser(name: string): UserEntry | null
  /** What is known of accounts that have logged in. */
  readonly verifiers: Verifiers
  /** A client has changed what accounts may do, or how they log in. */
  accountsChanged(): void
  readonly changes: ServerChanges
  readonly throttle: LoginThrottle
  readonly rsaKeyPair: () => RsaKeyPair | null
  serverTls(): ServerTlsContext | null
  /** Whether a PROXY protocol header from there is believed; undefined: a unix socket. */
  trustsProxyHeader(remoteAddress: string | undefined): boolean
  /** Counts a connection towards the limit of its client's address until it ends. @returns why it must not stay, or null */
  enterAddress(socket: Socket, client: ClientAddress): ProxyError | null
  /** Schemas that an account was let into a moment ago, as `account\nschema`: no connection is opened just to ask again. */
  readonly knownSchemas: LRUCache<string, true>
  readonly sessionSearch: Sessions
  /** A client went away or was sent away before it was logged in. */
  clientAborted(host: string, reason: string): void
}
