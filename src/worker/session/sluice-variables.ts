import { ProxyError } from '../../shared/errors.js'
import { CONSISTENCY_LEVELS, type ConsistencyLevel, type Flavor } from '../../shared/snapshot.js'
import { Effect, parseSet, StatementKind } from '../../sql/index.js'
import { parseLevel } from '../consistency/wishes.js'
import type { TopologyView } from '../routing/topology-view.js'
import type { CommandInHand } from './command.js'
import type { OwnStatement } from './own-statement.js'
import type { SessionFacts } from './session-facts.js'
import type { SessionText } from './session-text.js'

/* What a session asks of Sluice itself in SQL: its consistency level, and the position of the primary. */

const VARIABLE = 'sluice_consistency'
/** Longer texts are none of these. */
const TEXT_LENGTH_MAX = 300
/** Begins all names of Sluice's own. */
const PREFIX = 'sluice_'

/**
 * The statement in hand where it is about Sluice's own variable; null: it is for the servers. Costs a look at the effects for
 * any other.
 */
export function ownStatement(command: CommandInHand, text: SessionText): OwnStatement | ProxyError | null {
  const { kind, effects } = command
  const reads = kind === StatementKind.read && (effects & Effect.readsSystemVariable) !== 0
  if (kind !== StatementKind.set && !reads) return null
  const sql = shortText(command, text)
  if (sql === null || !sql.toLowerCase().includes(PREFIX)) return null
  return reads ? readOf(sql) : assignmentOf(command, text)
}

/** The text of a command that may be one of Sluice's own; null: it is too long. */
export function shortText(command: CommandInHand, text: SessionText): string | null {
  const start = text.textStart(command)
  if (command.streamed || start < 0 || command.end - start > TEXT_LENGTH_MAX) return null
  return command.buffer.toString('utf8', start, command.end)
}

function assignmentOf(command: CommandInHand, text: SessionText): OwnStatement | ProxyError | null {
  const assignments = parseSet(command.buffer, text.textStart(command), command.end, text.options)
  const own = assignments?.filter(({ scope, name }) => name === VARIABLE && scope !== 'user_variable') ?? []
  const [assignment] = own
  if (assignments === null || assignment === undefined) return null
  if (assignments.length > 1) return new ProxyError('variable-alone', 1231, '42000', `sluice: ${ALONE}`)
  const { scope, special, valueText, literal } = assignment
  if (scope !== 'session') return new ProxyError('variable-scope', 1228, 'HY000', SESSION_ONLY)
  if (special === 'default') return { reads: false, value: null, isParameter: false }
  const value = valueText.replace(/^(['"`])(.*)\1$/, '$2')
  return { reads: false, value, isParameter: !literal && valueText === '?' }
}

const ALONE = `SET ${VARIABLE} has to be the only assignment of its statement`
/** ER_LOCAL_VARIABLE of MySQL (errmsg), which both flavours know. */
const SESSION_ONLY = `Variable '${VARIABLE}' is a SESSION variable and can't be used with SET GLOBAL`

/**
 * Sets the session's level.
 * @param value null: the level of its user, or of the configuration
 * @returns an error when there is no such level
 */
export function setLevel(facts: SessionFacts, value: string | null): ProxyError | null {
  const level = value === null ? null : parseLevel(value)
  if (level === null && value !== null) return wrongValue(value)
  facts.consistency.level = level
  return null
}

/** The level that holds for the session's statements. */
export function levelOf({ consistency, user }: SessionFacts, view: TopologyView): ConsistencyLevel {
  return consistency.levelFor(null, null, user, view.snapshot.consistency)
}

/** ER_WRONG_VALUE_FOR_VAR, with what would be right. */
function wrongValue(value: string): ProxyError {
  const expected = `${CONSISTENCY_LEVELS.join(', ').replace(/, ([^,]*)$/, ' or $1')}, or DEFAULT`
  const message = `Variable '${VARIABLE}' can't be set to the value of '${value}' (sluice: expected ${expected})`
  return new ProxyError('variable-value', 1231, '42000', message)
}

const SELECT_VARIABLE =
  /^\s*select\s+(@@(?:(?:session|local)\s*\.\s*)?`?sluice_consistency`?)(?:\s+(?:as\s+)?(`[^`]+`|'[^']+'|"[^"]+"|\w+))?\s*(?:limit\s+\d+\s*)?;?\s*$/i

function readOf(sql: string): OwnStatement | null {
  const found = SELECT_VARIABLE.exec(withoutComments(sql))
  if (found === null) return null
  const [, written, alias] = found
  return { reads: true, name: alias === undefined ? (written as string) : alias.replace(/^([`'"])(.*)\1$/, '$2') }
}

const CALL_POSITION =
  /^\s*select\s+(sluice_position\s*\(\s*\))(?:\s+(?:as\s+)?(`[^`]+`|'[^']+'|"[^"]+"|\w+))?\s*;?\s*$/i

/** What all committed writes amount to, in one line. */
const POSITION: Readonly<Record<Flavor, string>> = {
  mysql: "REPLACE(@@GLOBAL.gtid_executed, '\n', '')",
  // With what it has applied as a replica, which need not be in its binary log.
  mariadb: '@@GLOBAL.gtid_current_pos',
}

/**
 * SELECT SLUICE_POSITION(): the statement that asks the primary what it has committed, under the name that the client gave
 * the column; null: it is something else.
 */
export function positionStatement(command: CommandInHand, text: SessionText, flavor: Flavor): string | null {
  if ((command.effects & Effect.unknownFunction) === 0) return null
  const sql = shortText(command, text)
  if (sql === null || !sql.toLowerCase().includes(PREFIX)) return null
  const found = CALL_POSITION.exec(withoutComments(sql))
  if (found === null) return null
  const [, call, alias] = found
  const name = (alias ?? (call as string)).replace(/^([`'"])(.*)\1$/, '$2')
  return `SELECT ${POSITION[flavor]} AS \`${name.replaceAll('`', '``')}\``
}

/** Comments of these statements hold hints for Sluice, if anything. */
export function withoutComments(sql: string): string {
  return sql.replaceAll(/\/\*[^!+M].*?\*\//gs, ' ')
}
