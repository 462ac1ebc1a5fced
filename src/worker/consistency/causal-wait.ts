import { monotonicMs } from '../../shared/clock.js'
import {
  addGtids,
  addGtidsInOrder,
  formatGtidSet,
  gtidSetContains,
  gtidSetIsEmpty,
  newGtidSet,
  parseGtidSet,
} from '../../shared/gtid.js'
import type { Flavor } from '../../shared/snapshot.js'
import { askServer, type ServerAnswer } from '../backend/ask-server.js'
import type { Backend } from '../backend/backend.js'
import type { WorkerContext } from '../context.js'
import { currentNeed } from '../execution/execution-route.js'
import type { SessionBackends } from '../pool/session-backends.js'
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

/** What a replica has to have. */
interface Goal {
  /** A GTID set as the servers read it. */
  readonly gtids: string
  /** The primary was asked for it: then it is all that was committed at `askedAt`. */
  readonly primary: string
  readonly askedAt: number
}

/** What the read that was routed last needs of the replica that it is to wait for; null: the primary has to be asked. */
export function goalInReach(candidate: Candidate): string | null {
  return currentNeed().gtidsFor(candidate)
}

/**
 * Waits on a connection to a replica until that has what the read in hand needs, for `causal_wait` ms at most.
 * @param gtids see `goalInReach`
 * @returns false when the replica has not caught up in time: the read is to go to the primary then
 */
export async function catchUp(
  candidate: Candidate,
  backend: Backend,
  gtids: string | null,
  session: CatchUp,
  context: WorkerContext,
): Promise<boolean> {
  context.pool.wake(backend)
  const isThere = await wait(candidate, backend, gtids, session, context)
  if (!isThere) session.letRest(backend)
  return isThere
}

async function wait(
  candidate: Candidate,
  backend: Backend,
  gtids: string | null,
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
    const goal = gtids === null ? await askPrimary(candidate, waiting, context) : ownGoal(gtids)
    if (goal === null) return giveUp(command, facts, null, context)
    if (!(await reaches(backend, goal.gtids, until - monotonicMs()))) return giveUp(command, facts, candidate, context)
    if (goal.primary === '') {
      session?.noteCaughtUp(candidate.target.known)
      if (key !== null && key.version === version) key.noteCaughtUp(candidate.target.known)
    } else {
      candidate.target.known.reached(goal.primary, goal.askedAt)
      view.noteReached(candidate)
      // Others may have written under the key meanwhile.
      if (!marks.every((mark) => mark.isMetBy(candidate))) return giveUp(command, facts, null, context)
    }
    counters.causalWaitsMet++
    return true
  } catch {
    return giveUp(command, facts, candidate, context)
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

/** What the primary has committed by now, which is later than what was seen. null: it cannot be asked. */
async function askPrimary(
  { entry }: Candidate,
  { command, backends, letRest }: CatchUp,
  { view, counters, pool }: WorkerContext,
): Promise<Goal | null> {
  const primary = view.primaryOf(entry.hostgroup)
  const server = primary === null ? undefined : primaryCandidate(primary, entry.hostgroup, view)
  if (server === undefined) return null
  const own = backends.get(server, true)
  const backend = own ?? pool.borrow(server)
  if (backend === null || backend.state !== 'idle' || backend.killing !== null) return null
  pool.wake(backend)
  counters.causalPositionsAsked++
  const askedAt = monotonicMs()
  const { rows } = await ask(backend, POSITION_SQL[backend.target.flavor]).finally(() => {
    if (own === null) pool.release(backend, false)
    else letRest(backend)
  })
  const [readOnly = '', ...told] = (rows[0] ?? []).map(ascii)
  // Others may have been told of its successor before this worker, and have written there.
  if (!WRITABLE.has(readOnly)) return null
  const position = command.wishes?.position ?? null
  const all = newGtidSet(backend.target.flavor)
  for (const text of told) addGtids(all, text.replaceAll(/#\d+|\s/g, ''))
  if (gtidSetIsEmpty(all) || (position !== null && !addGtidsInOrder(all, formatGtidSet(position)))) return null
  return { gtids: formatGtidSet(all), primary: primary!, askedAt }
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
