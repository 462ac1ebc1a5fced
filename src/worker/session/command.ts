import { Answer, Command } from '../../../protocol/index.js'
import type { Ruling } from '../../rules/index.js'
import type { QueryClass } from '../../shared/counters.js'
import { ProxyError } from '../../shared/errors.js'
import type { ConsistencyLevel, ServerId, UserEntry } from '../../shared/snapshot.js'
import { Effect, Hint, StatementKind, StatementKindName } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import type { Wishes } from '../consistency/wishes.js'
import type { StatementDigest } from '../statistics/digests.js'

/** What is done with a command, before anything is known of its text. */
export const Handling = {
  /** Classified by its text and routed. */
  text: 0,
  /** COM_STMT_PREPARE: classified by its text, and remembered. */
  prepare: 1,
  /** Names a prepared statement of ours. */
  statement: 2,
  /** Routed by the kind that its rule gives. */
  routed: 3,
  /** COM_PROCESS_KILL. */
  kill: 4,
  changeUser: 5,
  reset: 6,
  ping: 7,
  quit: 8,
  /** No command that is served. */
  unknown: 9,
} as const

export interface CommandRule {
  readonly handling: number
  readonly answer: number
  /** Kind of statement that the command amounts to, where no text tells it. */
  readonly kind: number
}

const rule = (handling: number, kind: number, answer: number = Answer.results): CommandRule => ({
  handling,
  kind,
  answer,
})

const { unknown, use, set, admin, kill, explainWrite } = StatementKind

/** Every command that is served; all others are answered with 1047. */
export const COMMAND_RULES: ReadonlyMap<number, CommandRule> = new Map([
  [Command.QUERY, rule(Handling.text, unknown)],
  [Command.STMT_PREPARE, rule(Handling.prepare, unknown, Answer.prepare)],
  [Command.STMT_EXECUTE, rule(Handling.statement, unknown)],
  [Command.STMT_BULK_EXECUTE, rule(Handling.statement, unknown)],
  [Command.STMT_FETCH, rule(Handling.statement, unknown, Answer.rows)],
  [Command.STMT_RESET, rule(Handling.statement, unknown)],
  [Command.STMT_SEND_LONG_DATA, rule(Handling.statement, unknown)],
  [Command.STMT_CLOSE, rule(Handling.statement, unknown)],
  [Command.INIT_DB, rule(Handling.routed, use)],
  [Command.SET_OPTION, rule(Handling.routed, set)],
  [Command.FIELD_LIST, rule(Handling.routed, explainWrite, Answer.fieldList)],
  [Command.STATISTICS, rule(Handling.routed, admin, Answer.single)],
  [Command.PROCESS_INFO, rule(Handling.routed, admin)],
  [Command.PROCESS_KILL, rule(Handling.kill, kill)],
  [Command.DEBUG, rule(Handling.routed, admin)],
  [Command.REFRESH, rule(Handling.routed, admin)],
  [Command.CHANGE_USER, rule(Handling.changeUser, unknown)],
  [Command.REGISTER_REPLICA, rule(Handling.routed, admin)],
  [Command.BINLOG_DUMP, rule(Handling.routed, admin, Answer.rows)],
  [Command.BINLOG_DUMP_GTID, rule(Handling.routed, admin, Answer.rows)],
  [Command.PING, rule(Handling.ping, unknown)],
  [Command.QUIT, rule(Handling.quit, unknown)],
  [Command.RESET_CONNECTION, rule(Handling.reset, unknown)],
])

const CLASS: Partial<Record<keyof typeof StatementKind, QueryClass>> = {
  read: 'read',
  do: 'read',
  show: 'read',
  diagnostics: 'read',
  primaryRead: 'read',
  explainWrite: 'read',
  begin: 'transaction',
  beginReadOnly: 'transaction',
  commit: 'transaction',
  rollback: 'transaction',
  savepoint: 'transaction',
  xa: 'transaction',
  set: 'session',
  use: 'session',
  setTransaction: 'session',
  empty: 'session',
  prepare: 'session',
  deallocate: 'session',
  admin: 'other',
  kill: 'other',
  killQuery: 'other',
}

/** The class under which each kind of statement is counted; what is not named counts as a write. */
export const CLASS_OF_KIND: readonly QueryClass[] = StatementKindName.map(
  (name) => CLASS[name as keyof typeof StatementKind] ?? 'write',
)

/**
 * The command that a session is executing. One per session, used again for each: what is needed of the statement after
 * its bytes have gone is kept here.
 */
export class CommandInHand {
  /** COM_* number. */
  code = 0
  answer: number = Answer.results
  /** The packet with its header: `buffer[start, end)`. */
  buffer: Buffer = EMPTY
  start = 0
  end = 0
  kind: number = StatementKind.unknown
  effects = 0
  hint: number = Hint.none
  hintHostgroup = -1
  /** What the query rules say of it; null: nothing. */
  ruling: Ruling | null = null
  /** The text that the client has prepared, where a rule has another one executed; null: what is in `buffer`. */
  clientText: Buffer | null = null
  /** What it has in common with statements of other literals; null: nobody has asked yet (`SessionText.digestOf`), or it has none. */
  digest: StatementDigest | null = null
  /** As what it is counted: its number in `VERBS`; -1: not as a statement. */
  verb = -1
  /** It is counted by its digest. */
  counted = false
  /** KILL with a number: where that is in `buffer`; -1 otherwise. */
  argumentStart = -1
  argumentEnd = -1
  /** The server that the command has to go to; empty: where routing says. */
  onServer: ServerId = ''
  /** Its packet is another one than the client has sent. */
  redirected = false
  /** A KILL QUERY has come before the command went to a server. */
  killed = false
  /** It took longer than its limit: what the client is told, wherever the statement is then. */
  timedOut: ProxyError | null = null
  /** MariaDB's SET STATEMENT ... FOR: variables that its answer reports are none of the session's. */
  perStatement = false
  /** Only a prefix of the command is held; the rest is streamed. */
  streamed = false
  /** It was streamed, and its last piece has come. */
  uploaded = false
  /** May be sent again when a connection is lost before the client got a byte. */
  repeatable = false
  attempts = 0
  /** The server had lost the prepared statement: it was prepared once more. */
  preparedAgain = false
  /** It waited too long behind other sessions' reads: it gets a connection of its own. */
  displaced = false
  /** The connection on which it waited behind a read that takes long, before it was displaced; null: on none. */
  displacedFrom: Backend | null = null
  /** Servers tried in vain, by id. */
  excluded: Set<string> | null = null
  /** Monotonic ms when the command was complete. */
  startedAt = 0
  /** Why it went where it went. */
  reason = ''
  /** See `Decision.wouldGo`. */
  wouldGo = ''
  /** What a hint or an attribute asks of its consistency; null: nothing. */
  wishes: Wishes | null = null
  /** With which it was routed last. */
  level: ConsistencyLevel = 'session'
  /** Name of its causal key; empty: none. */
  causal = ''
  /** The key's version when the command was routed. */
  causalVersion = 0
  /** Of the server to which it was sent last. */
  sentIncarnation = 0
  /** Monotonic ms when it was sent last. */
  sentAt = 0
  /** A replica was waited for in vain. */
  waited = false
  /** It was taken for a read, and a replica has refused it as a write. */
  learned = false
  /** How long its answer may be given to others, in ms; 0: it is not to be kept. */
  cacheTtlMs = 0
  /** An answer without rows is kept as well. */
  cacheEmpty = true

  /** Takes a packet whose payload (command byte first) is `buffer[payloadStart, end)`. */
  take(buffer: Buffer, payloadStart: number, end: number, rule: CommandRule, now: number): void {
    this.code = buffer[payloadStart] ?? 0
    this.answer = rule.answer
    this.buffer = buffer
    this.start = payloadStart - 4
    this.end = end
    this.kind = rule.kind
    this.effects = 0
    this.hint = Hint.none
    this.hintHostgroup = -1
    this.ruling = null
    this.clientText = null
    this.digest = null
    this.verb = -1
    this.counted = false
    this.argumentStart = -1
    this.argumentEnd = -1
    this.onServer = ''
    this.redirected = false
    this.killed = false
    this.timedOut = null
    this.perStatement = false
    this.streamed = false
    this.uploaded = false
    this.repeatable = false
    this.attempts = 0
    this.preparedAgain = false
    this.displaced = false
    this.displacedFrom = null
    this.excluded = null
    this.startedAt = now
    this.reason = ''
    this.wouldGo = ''
    this.sentAt = now
    this.wishes = null
    this.level = 'session'
    this.causal = ''
    this.waited = false
    this.learned = false
    this.cacheTtlMs = 0
    this.cacheEmpty = true
  }

  /** Stands for a read without a text: where it would go is where a session's first connection leads. */
  asRead(now: number): void {
    this.take(EMPTY, 4, 0, { handling: Handling.routed, kind: StatementKind.read, answer: Answer.results }, now)
  }

  /** The packet as it is written to a backend. */
  packet(): Buffer {
    return this.start === 0 && this.end === this.buffer.length
      ? this.buffer
      : this.buffer.subarray(this.start, this.end)
  }

  /** Stands for another packet, which has to go to this server. */
  redirect(packet: Buffer, server: ServerId): void {
    this.buffer = packet
    this.start = 0
    this.end = packet.length
    this.onServer = server
    this.redirected = true
  }

  /** It is executed on another connection than the one on which it has waited. */
  displace(from: Backend): void {
    this.displaced = true
    this.displacedFrom = from
  }

  exclude(server: string): void {
    this.excluded ??= new Set()
    this.excluded.add(server)
  }

  /** Lets the bytes go, so that an idle session keeps none. */
  release(): void {
    this.buffer = EMPTY
    this.excluded = null
    this.wishes = null
    this.ruling = null
    this.clientText = null
  }

  /** What ends it while no server has it: a KILL QUERY that has come, or a limit of time; null: nothing does. */
  get endedBy(): ProxyError | null {
    return this.timedOut ?? (this.killed ? INTERRUPTED : null)
  }

  get class(): QueryClass {
    return CLASS_OF_KIND[this.kind]
  }

  /** Whether the statement is executed by this command, and not prepared, reset or read on. */
  get executes(): boolean {
    return this.code !== Command.STMT_PREPARE && this.code !== Command.STMT_RESET && this.code !== Command.STMT_FETCH
  }

  /** Whether the statement may have changed data, as far as is known. */
  get mayWrite(): boolean {
    if (!this.executes) return false
    return (
      this.learned || this.class === 'write' || this.class === 'transaction' || (this.effects & WRITING_EFFECTS) !== 0
    )
  }
}

/** Replicas with more lag than this in ms are not read from, as the statement, a query rule or the account says; -1: no limit. */
export function maxLagMsOf({ wishes, ruling }: CommandInHand, user: UserEntry): number {
  if (wishes !== null && wishes.maxLagMs >= 0) return wishes.maxLagMs
  if (ruling !== null && ruling.maxReplicationLagMs >= 0) return ruling.maxReplicationLagMs
  return user.maxReplicationLagMs ?? -1
}

/** COM_STMT_EXECUTE, or MariaDB's of many rows. */
export function isExecute(code: number): boolean {
  return code === Command.STMT_EXECUTE || code === Command.STMT_BULK_EXECUTE
}

/** A reader of the binary log introduces itself, or begins to read. */
export function isReplication(code: number): boolean {
  return code === Command.REGISTER_REPLICA || isDump(code)
}

/** COM_BINLOG_DUMP and its like, whose answer ends with the connection as a rule. */
export function isDump(code: number): boolean {
  return code === Command.BINLOG_DUMP || code === Command.BINLOG_DUMP_GTID
}

const WRITING_EFFECTS = Effect.unknownFunction | Effect.sequence | Effect.implicitCommit
const EMPTY = Buffer.alloc(0)
/** What a statement is told that was killed. */
export const INTERRUPTED = new ProxyError('killed', 1317, '70100', 'Query execution was interrupted')
