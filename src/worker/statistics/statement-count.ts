import { Command } from '../../../protocol/index.js'
import { countQuery, type GlobalCounters, type LatencyCounters, newLatencyCounters } from '../../shared/counters.js'
import type { ProxyError } from '../../shared/errors.js'
import type { Backend } from '../backend/backend.js'
import { countRead } from '../consistency/consistency-count.js'
import { BY_READING } from '../routing/router.js'
import type { TopologyView } from '../routing/topology-view.js'
import { type CommandInHand, isDump } from '../session/command.js'
import type { DigestStatistics, Outcome, Scope } from './digest-statistics.js'
import type { ServerErrors } from './server-errors.js'

/** What a worker counts statements in. */
export interface CountContext {
  readonly counters: GlobalCounters
  readonly digestStatistics: DigestStatistics
  readonly serverErrors: ServerErrors
  /** By number of verb. */
  readonly verbs: (LatencyCounters | undefined)[]
  readonly view: TopologyView
}

/** Counts the statements of a session: by server and class, by verb, by digest, and their errors. */
export class StatementCount {
  readonly #context: CountContext
  readonly #user: string
  readonly #host: string
  #scope: Scope | null = null

  constructor(context: CountContext, user: string, host: string) {
    this.#context = context
    this.#user = user
    this.#host = host
  }

  /** To be called before the command changes its session's schema. */
  begin(schema: string): void {
    const { digestStatistics, view } = this.#context
    const client = view.snapshot.digests.trackHostname ? this.#host : ''
    this.#scope = digestStatistics.scopeOf(this.#scope, this.#user, schema, client)
  }

  /** The server has answered the command in hand. `wrote`: its session has written before. @param now monotonic ms */
  answered(command: CommandInHand, backend: Backend, wrote: boolean, now: number): void {
    // How long a reader of the binary log stays says nothing of the server.
    if (isDump(command.code)) return
    const { counters, view } = this.#context
    const { errno, affectedRows, rows } = backend.follower
    const latencyUs = Math.round((now - command.startedAt) * 1000)
    countQuery(backend.accounting!.byClass[command.class], latencyUs, errno !== 0)
    this.#countVerb(command, latencyUs, errno !== 0)
    if (wrote && isOnReplica(command)) backend.accounting!.queriesGtidSync++
    if (latencyUs > view.snapshot.limits.longQueryMs * 1000) counters.slowQueries++
    countRead(command, counters)
    if (!command.counted) return
    outcome.latencyUs = latencyUs
    outcome.rowsAffected = affectedRows
    outcome.rowsSent = rows
    outcome.failed = errno !== 0
    this.#countDigest(command, backend.accounting!.hostgroup, now)
  }

  /** The result cache has answered with so many rows: no hostgroup, which ProxySQL calls -1. */
  fromCache(command: CommandInHand, rows: number, schema: string, now: number): void {
    this.begin(schema)
    const latencyUs = Math.round((now - command.startedAt) * 1000)
    this.#countVerb(command, latencyUs, false)
    if (!command.counted) return
    outcome.latencyUs = latencyUs
    outcome.rowsAffected = 0
    outcome.rowsSent = rows
    outcome.failed = false
    this.#countDigest(command, -1, now)
  }

  /** The connection was lost, and the client was told so. */
  lost(command: CommandInHand, backend: Backend, { errno, message }: ProxyError, now: number): void {
    this.failed(backend, errno, message)
    if (!command.counted) return
    outcome.latencyUs = Math.round((now - command.startedAt) * 1000)
    outcome.rowsAffected = 0
    outcome.rowsSent = backend.follower.rows
    outcome.failed = true
    this.#countDigest(command, backend.accounting!.hostgroup, now)
  }

  /** The client gets to see an error of a server's. */
  failed({ accounting, target }: Backend, errno: number, message: string): void {
    if (this.#scope === null) return
    this.#context.serverErrors.note(this.#scope, accounting!.hostgroup, target.id, errno, message, Date.now())
  }

  #countVerb({ verb, executes }: CommandInHand, latencyUs: number, failed: boolean): void {
    if (verb < 0 || !executes) return
    const { verbs } = this.#context
    verbs[verb] ??= newLatencyCounters()
    countQuery(verbs[verb], latencyUs, failed)
  }

  #countDigest(command: CommandInHand, hostgroup: number, now: number): void {
    const { digest, executes, code } = command
    const scope = this.#scope
    if (digest === null || scope === null) return
    const { digestStatistics, view } = this.#context
    const { sample } = view.snapshot.digests
    if (executes) digestStatistics.count(scope, hostgroup, digest, outcome, sample, now)
    else if (code === Command.STMT_FETCH)
      digestStatistics.countMoreRows(scope, hostgroup, digest, sample * outcome.rowsSent, now)
  }
}

/** Read where a replica has all that it may rely on. */
function isOnReplica({ reason, level }: CommandInHand): boolean {
  return BY_READING.has(reason) && level !== 'eventual'
}

/** Used again for each statement. */
const outcome: Outcome = { latencyUs: 0, rowsAffected: 0, rowsSent: 0, failed: false }
