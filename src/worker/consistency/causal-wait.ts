import { monotonicMs } from '../../shared/clock.js'
import {
  addGtids,
  addGtidsInOrder,
  formatGtidSet,
  gtidSetContains,
  newGtidSet,
  parseGtidSet,
} from '../../shared/gtid.js'
import type { Flavor, ServerId } from '../../shared/snapshot.js'
import { askServer, type ServerAnswer } from '../backend/ask-server.js'
import type { Backend } from '../backend/backend.js'
import type { WorkerContext } from '../context.js'
import { currentNeed } from '../execution/execution-route.js'
import { changedOrAfter } from '../execution/waiting.js'
import type { SessionBackends } from '../pool/session-backends.js'
import { NO_WAIT_MS, type Told } from '../routing/known-server.js'
import type { Candidate } from '../routing/topology-view.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'

/** Who waits, and for what. */
export interface CatchUp {
  readonly command: CommandInHand
  readonly facts: SessionFacts
  readonly backends: SessionBackends
  readonly letRest: (backend: Backend) => void
}

/** What a read needs of a replica that it is to wait for. */
export interface Wanted {
  /** A GTID set as the servers read it; null: the primary has to be asked. */
  readonly gtids: string | null
  /** Without GTIDs: the monitor's reports tell whether the replica has it. */
  readonly byReport: boolean
  /** What the primary was asked after this monotonic ms will do; infinite: nothing but what it says now. */
  readonly since: number
}

/** What a replica has to have. */
interface Goal {
  readonly gtids: string
  /** The primary was asked for it: then it is all that was committed at `askedAt`. */
  readonly primary: ServerId
  readonly askedAt: number
}

/** What the read that was routed last needs. */
export function wantedOf(candidate: Candidate): Wanted {
  const need = currentNeed()
  const since = need.lacksOnlyCommitted(candidate) ? need.committedBy : Number.POSITIVE_INFINITY
  return { gtids: need.gtidsFor(candidate), byReport: candidate.gtids === null, since }
}

/**
 * Waits on a connection to a replica until that has what the read in hand needs, for `causal_wait` ms at most.
 * @returns false when the replica has not caught up in time: the read is to go to the primary then; or when the session has ended
 */
export async function catchUp(
  candidate: Candidate,
  backend: Backend,
  wanted: Wanted,
  session: CatchUp,
  context: WorkerContext,
): Promise<boolean> {
  context.pool.wake(backend)
  const isThere = await wait(candidate, backend, wanted, session, context)
  // Who has left meanwhile has it no more: it is for others.
  if (!session.backends.has(backend)) return false
  if (!isThere) session.letRest(backend)
  return isThere
}

async function wait(
  candidate: Candidate,
  backend: Backend,
  { gtids, byReport, since }: Wanted,
  waiting: CatchUp,
  context: WorkerContext,
): Promise<boolean> {
  const { command, facts } = waiting
  const { view, counters, causal } = context
  const until = monotonicMs() + view.snapshot.consistency.causalWaitMs
  const session = command.level === 'eventual' ? null : facts.consistency
  const key = command.causal === '' ? null : causal.at(command.causal)
  const version = key?.version
  try {
    const marks = [session, key].filter((mark) => mark !== null)
    if (byReport) {
      if (!(await isReported(candidate, until, context))) return giveUp(command, facts, candidate, context)
      // Others may have written under the key meanwhile.
      if (!marks.every((mark) => mark.isMetBy(candidate))) return giveUp(command, facts, null, context)
      counters.causalWaitsMet++
      return true
    }
    const goal = gtids === null ? await askPrimary(candidate, since, until, waiting, context) : ownGoal(gtids)
    if (goal === null || !waiting.backends.has(backend)) return giveUp(command, facts, null, context)
    if (!(await reaches(backend, goal.gtids, until - monotonicMs()))) {
      void seeWhenThere(candidate, goal, context)
      return giveUp(command, facts, candidate, context)
    }
    if (goal.primary === '') {
      session?.noteCaughtUp(candidate.target.known)
      if (key !== null && key.version === version) key.noteCaughtUp(candidate.target.known)
    } else {
      noteReached(candidate, goal, context)
      // Others may have written under the key meanwhile.
      if (!marks.every((mark) => mark.isMetBy(candidate))) return giveUp(command, facts, null, context)
    }
    counters.causalWaitsMet++
    return true
  } catch {
    return giveUp(command, facts, candidate, context)
  }
}

/**
 * Without GTIDs: waits until the monitor reports that the replica has all that the primary had at a moment from now on. It
 * alone may ask servers for places in binary logs, for which accounts of applications lack the privilege.
 */
async function isReported(candidate: Candidate, until: number, { view }: WorkerContext): Promise<boolean> {
  const since = monotonicMs()
  for (let now = since; now < until; now = monotonicMs()) {
    await changedOrAfter(view, until - now)
    if (candidate.coversPrimaryAt > since) return true
  }
  return false
}

function noteReached(candidate: Candidate, { primary, askedAt }: Goal, { view }: WorkerContext): void {
  candidate.target.known.reached(primary, askedAt)
  view.noteReached(candidate)
}

/** The reads after one that has waited in vain wait again as soon as the replica has what that one had waited for. */
async function seeWhenThere(candidate: Candidate, goal: Goal, context: WorkerContext): Promise<void> {
  const backend = context.pool.borrow(candidate)
  if (backend === null) return
  try {
    if (!(await reaches(backend, goal.gtids, NO_WAIT_MS))) return
    candidate.target.known.hasCaughtUp()
    if (goal.primary !== '') noteReached(candidate, goal, context)
  } catch {
    // The connection is gone: what ends the pause is its time.
  } finally {
    context.pool.release(backend, false)
  }
}

function ownGoal(gtids: string): Goal {
  return { gtids, primary: '', askedAt: -1 }
}

/** @param lagging the replica that was not quick enough; null: it did not come to that */
function giveUp(
  command: CommandInHand,
  { consistency }: SessionFacts,
  lagging: Candidate | null,
  { counters }: WorkerContext,
): false {
  command.waited = true
  consistency.stayStuck()
  if (lagging !== null) {
    counters.causalWaitsInVain++
    lagging.target.known.waitedInVain(monotonicMs())
  }
  return false
}

/**
 * Whether it is still the primary, then what it has committed: what is being committed may be visible already (see
 * `ServerState.gtidOwned`), and what a MariaDB server has applied as a replica need not be in its binary log.
 */
const POSITION_SQL: Readonly<Record<Flavor, string>> = {
  mysql: 'SELECT @@GLOBAL.read_only, @@GLOBAL.gtid_owned, @@GLOBAL.gtid_executed',
  mariadb: 'SELECT @@GLOBAL.read_only, @@GLOBAL.gtid_slave_pos, @@GLOBAL.gtid_binlog_pos',
}
const WRITABLE: ReadonlySet<string> = new Set(['0', 'OFF'])

/**
 * What the primary has committed, which is later than what is needed. null: it cannot be asked.
 * @param since see `Wanted`
 * @param until monotonic ms: one that hangs must not hold up reads that a replica can answer
 */
async function askPrimary(
  { entry }: Candidate,
  since: number,
  until: number,
  waiting: CatchUp,
  context: WorkerContext,
): Promise<Goal | null> {
  const { view } = context
  const primary = view.primaryOf(entry.hostgroup)
  const server = primary === null ? undefined : primaryCandidate(primary, entry.hostgroup, view)
  if (server === undefined) return null
  const { known, flavor } = server.target
  const told = known.told !== null && known.told.askedAt > since ? known.told : askAnew(server, waiting, context)
  if (told === null) return null
  known.told = told
  const gtids = await orAfter(until - monotonicMs(), told.gtids)
  const all = parseGtidSet(gtids, flavor)
  const position = waiting.command.wishes?.position ?? null
  if (gtids === '' && known.told === told) known.told = null
  if (gtids === '' || (position !== null && !addGtidsInOrder(all, formatGtidSet(position)))) return null
  return { gtids: formatGtidSet(all), primary: primary as ServerId, askedAt: told.askedAt }
}

/** @returns empty when the answer does not come in time */
function orAfter(ms: number, gtids: Promise<string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, Math.max(0, ms), '')
    gtids.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function askAnew(server: Candidate, { backends, letRest }: CatchUp, { pool, counters }: WorkerContext): Told | null {
  // Others go by the answer as well: it had better not end with this session.
  const borrowed = pool.borrow(server)
  const backend = borrowed ?? backends.get(server, true)
  if (backend === null || backend.state !== 'idle' || backend.killing !== null) return null
  pool.wake(backend)
  counters.causalPositionsAsked++
  const askedAt = monotonicMs()
  const gtids = positionOn(backend).finally(() => {
    if (borrowed !== null) pool.release(borrowed, false)
    else if (backends.has(backend)) letRest(backend)
  })
  return { askedAt, gtids }
}

/** @returns empty where the server does not tell, or is no primary any more: others may have been told, and have written to its successor */
async function positionOn(backend: Backend): Promise<string> {
  const { flavor } = backend.target
  const { rows } = await ask(backend, POSITION_SQL[flavor])
  const [readOnly = '', ...told] = (rows[0] ?? []).map(ascii)
  if (!WRITABLE.has(readOnly)) return ''
  const all = newGtidSet(flavor)
  for (const text of told) addGtids(all, text.replaceAll(/#\d+|\s/g, ''))
  return formatGtidSet(all)
}

function primaryCandidate(id: string, reader: number, view: WorkerContext['view']): Candidate | undefined {
  const { writer } = view.snapshot.replicationHostgroups.find((pair) => pair.reader === reader) ?? { writer: -1 }
  return view.online(writer).find(({ entry }) => entry.id === id)
}

/**
 * WAIT_FOR_EXECUTED_GTID_SET (MySQL) answers 0, or 1 after the time. MASTER_GTID_WAIT (MariaDB) answers 0, or -1, and looks at
 * sequence numbers alone: only the position that was reached says whose transactions those are. Both take the bytes of their argument
 * as they are: under a collation_connection of UTF-16 a literal without its character set would be no GTID, or an empty set.
 */
async function reaches(backend: Backend, gtids: string, ms: number): Promise<boolean> {
  if (gtids === '') return true
  if (ms <= 0 || backend.state !== 'idle') return false
  const seconds = (ms / 1000).toFixed(3)
  if (backend.target.flavor === 'mysql') {
    const { rows } = await ask(backend, `SELECT WAIT_FOR_EXECUTED_GTID_SET(_latin1'${gtids}', ${seconds})`)
    return textOf(rows) === '0'
  }
  const { rows } = await ask(
    backend,
    `SELECT IF(MASTER_GTID_WAIT(_latin1'${gtids}', ${seconds}) = 0, @@GLOBAL.gtid_slave_pos, '')`,
  )
  return gtidSetContains(parseGtidSet(textOf(rows), 'mariadb'), parseGtidSet(gtids, 'mariadb'))
}

async function ask(backend: Backend, sql: string): Promise<ServerAnswer> {
  backend.move('syncing')
  try {
    return await askServer(backend, sql)
  } finally {
    if ((backend.state as string) === 'syncing') backend.move('idle')
  }
}

/** Texts come in character_set_results, which may have two or four bytes for each character. */
function ascii(cell: Buffer | null): string {
  return cell?.toString('latin1').replaceAll('\0', '') ?? ''
}

function textOf(rows: ServerAnswer['rows']): string {
  return ascii(rows[0]?.[0] ?? null)
}
