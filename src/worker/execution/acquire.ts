import { Command } from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import { ProxyError } from '../../shared/errors.js'
import type { Backend } from '../backend/backend.js'
import { BackendConnectError } from '../backend/backend-connect.js'
import { catchUp, wantedOf } from '../consistency/causal-wait.js'
import type { WorkerContext } from '../context.js'
import { type SessionBackends, SyncError } from '../pool/session-backends.js'
import type { Decision } from '../routing/router.js'
import type { Candidate } from '../routing/topology-view.js'
import { type CommandInHand, isExecute } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import { asksBack, asksOfLast, recall } from '../state/recall.js'
import type { Residue } from '../state/residue.js'
import type { SessionState } from '../state/session-state.js'
import { prepareOn } from '../statements/server-statements.js'
import type { PreparedStatement, Statements } from '../statements/statements.js'
import { settleLoss } from './lost.js'
import { changedOrAfter, gaveUp, LOOK_AGAIN_MS, refusedBy } from './waiting.js'

/** What a connection is wanted for. */
export interface Seeker {
  readonly command: CommandInHand
  /** The prepared statement that the command names, or null. */
  readonly statement: PreparedStatement | null
  readonly statements: Statements
  readonly state: SessionState
  readonly backends: SessionBackends
  readonly facts: SessionFacts
  readonly residue: Residue
  /** Lets others have a connection that was not used after all. */
  readonly letRest: (backend: Backend) => void
}

export interface AcquireJob {
  readonly context: WorkerContext
  readonly seeker: Seeker
  readonly route: () => Decision
  /** False once the session is gone. */
  readonly wanted: () => boolean
}

/** How long a read waits for a connection to one replica before it looks for another server. */
const READER_WAIT_MS = 100

/** Without replication hostgroups a hostgroup's servers are their own primaries: nobody else knows better. */
function isReader({ entry }: Candidate, { context }: AcquireJob): boolean {
  return !context.view.isWriter(entry.hostgroup)
}

/**
 * Finds a connection for the command in hand: routes it, opens a connection where there is none, brings the session's
 * state over, prepares the statement. While no server is to be had the command is held, up to its deadline.
 * @returns null when the session is gone
 * @throws ProxyError 9001 after the deadline, or what the server answered where that is final
 */
export async function acquire(job: AcquireJob): Promise<Backend | null> {
  const { limits } = job.context.view.snapshot
  const { command, backends } = job.seeker
  const deadline = command.startedAt + limits.connectTimeoutServerMaxMs
  let lastFailure: unknown = null
  for (;;) {
    const { backend, candidate, hostgroup, catchUp: waits } = job.route()
    const wanted = waits ? wantedOf(candidate!) : null
    try {
      const left = deadline - monotonicMs()
      // Where a replica's connections are all in use, another server may have one at once.
      const waitMs = candidate !== null && isReader(candidate, job) ? Math.min(left, READER_WAIT_MS) : left
      const found =
        backend ??
        (candidate === null
          ? null
          : (backends.get(candidate, asksOfLast(command)) ??
            backends.take(candidate) ??
            (await backends.obtain(
              candidate,
              Math.max(1, Math.min(limits.connectTimeoutServerMs, left)),
              Math.max(1, waitMs),
              () => job.wanted() && !command.killed && command.timedOut === null,
            ))))
      if (!job.wanted()) {
        // The session ended while this was opened for it.
        backends.releaseAll(() => false)
        return null
      }
      if (found !== null && wanted !== null && !(await catchUp(candidate!, found, wanted, job.seeker, job.context))) {
        if (job.wanted()) continue
        return null
      }
      if (found !== null && (await makeReady(found, job))) return job.wanted() ? unlessKilled(found, command) : null
    } catch (error) {
      lastFailure = error
      if (dealWith(error, command, candidate?.entry.id ?? '', candidate !== null && isReader(candidate, job))) continue
    }
    if (!job.wanted()) return null
    unlessKilled(null, command)
    unlessLost(job)
    const now = monotonicMs()
    if (now >= deadline) throw gaveUp(hostgroup, now - command.startedAt, lastFailure, job.context.view)
    await changedOrAfter(job.context.view, Math.min(LOOK_AGAIN_MS, deadline - now))
    // Every server was tried in vain: one of them may be back.
    if (candidate === null && backend === null) command.excluded = null
    if (!job.wanted()) return null
  }
}

/** @throws ProxyError when the transaction that the command belongs to was lost meanwhile: it must not run outside of it */
function unlessLost({ seeker: { command, facts }, context }: AcquireJob): void {
  if (facts.lost === '') return
  const told = settleLoss(command, facts, context.view.flavor)
  if (told instanceof ProxyError) throw told
}

/** @throws ProxyError when a KILL QUERY has come meanwhile (1317), or the statement's time is over */
function unlessKilled<T>(value: T, command: CommandInHand): T {
  const { endedBy } = command
  if (endedBy !== null) throw endedBy
  return value
}

/** Brings state and statement over. False when the connection went away meanwhile. */
async function makeReady(backend: Backend, { seeker, context }: AcquireJob): Promise<boolean> {
  context.pool.wake(backend)
  if (backend.killing !== null) await backend.killing
  if (backend.state !== 'idle') return false
  // First of all: if the connection has to be reset, its statements are gone.
  if (!seeker.backends.isCurrent(backend)) await seeker.backends.sync(backend)
  if (!hasStatement(seeker, backend)) {
    await prepareFor(seeker, backend, context)
    // Preparing may have needed another state. Without the statement it is looked for again.
    if (!seeker.backends.isCurrent(backend)) await seeker.backends.sync(backend)
    if (!hasStatement(seeker, backend)) return false
  }
  if (asksBack(seeker, backend)) await recall(seeker, backend)
  return (backend.state as string) === 'idle'
}

/** Whether a connection is ready for the command in hand as things are: it has the session's state, and the statement. */
export function isReady(seeker: Seeker, backend: Backend): boolean {
  return (
    backend.state === 'idle' &&
    backend.killing === null &&
    seeker.backends.isCurrent(backend) &&
    hasStatement(seeker, backend) &&
    !asksBack(seeker, backend)
  )
}

function hasStatement({ command, statement }: Seeker, backend: Backend): boolean {
  if (statement === null || command.code === Command.STMT_PREPARE) return true
  return isExecute(command.code) ? statement.isReadyOn(backend) : statement.on(backend) !== null
}

function prepareFor(seeker: Seeker, backend: Backend, { counters, view }: WorkerContext): Promise<void> {
  const { statement, statements, backends, state } = seeker
  const { maxStmtsPerConnection } = view.snapshot.limits
  const parseKey = statements.parseState(state).key
  return prepareOn(statement!, backend, { backends, statements, counters, maxStmtsPerConnection, parseKey })
}

/**
 * Decides what a failure means for the command.
 * @returns true to look for another server at once, false to wait first
 * @throws ProxyError when the failure is the command's answer
 */
function dealWith(error: unknown, command: CommandInHand, server: string, isReader: boolean): boolean {
  const refused = error instanceof ProxyError && (error.code === 'prepare-refused' || error.code === 'server-full')
  if (isReader && (refused || error instanceof SyncError || error instanceof BackendConnectError)) {
    // A replica may be down, or busy, or may not have the account, schema or table yet: the primary's word counts.
    command.exclude(server)
    return true
  }
  if (error instanceof SyncError)
    throw new ProxyError('sync-refused', error.err.errno, error.err.sqlState, error.err.message)
  if (error instanceof BackendConnectError) {
    if (error.mayPass) return false
    throw refusedBy(error.err!)
  }
  if (error instanceof ProxyError && error.code !== 'server-full') throw error
  return false
}
