import { encodeTextResultSet } from '../../protocol/index.js'
import { ProxyError } from '../shared/errors.js'
import { CONSISTENCY_LEVELS, type Flavor } from '../shared/snapshot.js'
import { Effect, parseSet, StatementKind } from '../sql/index.js'
import type { CommandInHand } from './command.js'
import type { SessionFacts } from './session-facts.js'
import type { SessionText } from './session-text.js'
import type { TopologyView } from './topology-view.js'
import { parseLevel } from './wishes.js'

/* What a session asks of Sluice itself in SQL: its consistency level, and the position of the primary. */

const VARIABLE = 'sluice_consistency'
/** Longer texts are none of these. */
const TEXT_LENGTH_MAX = 300
/** Begins all names of Sluice's own. */
const PREFIX = 'sluice_'

/** Answered here: OK, an error, or a result set; null: it is for the servers. */
export type LocalAnswer = 'ok' | ProxyError | Buffer | null

/** Answers the command in hand where it is about Sluice's own variable. Costs a look at the effects for any other. */
export function answerVariable(
  command: CommandInHand,
  facts: SessionFacts,
  text: SessionText,
  view: TopologyView,
): LocalAnswer {
  const { kind, effects } = command
  const reads = kind === StatementKind.read && (effects & Effect.readsSystemVariable) !== 0
  if (kind !== StatementKind.set && !reads) return null
  const sql = shortText(command, text)
  if (sql === null || !sql.toLowerCase().includes(PREFIX)) return null
  return reads ? selectVariable(sql, facts, view, text) : setVariable(command, facts, text)
}

function shortText(command: CommandInHand, text: SessionText): string | null {
  const start = text.textStart(command)
  if (command.streamed || start < 0 || command.end - start > TEXT_LENGTH_MAX) return null
  return command.buffer.toString('utf8', start, command.end)
}

function setVariable(command: CommandInHand, facts: SessionFacts, text: SessionText): LocalAnswer {
  const assignments = parseSet(command.buffer, text.textStart(command), command.end, text.options)
  const own = assignments?.filter(({ scope, name }) => name === VARIABLE && scope !== 'user_variable') ?? []
  const [assignment] = own
  if (assignments === null || assignment === undefined) return null
  if (assignments.length > 1) return new ProxyError('variable-alone', 1231, '42000', `sluice: ${ALONE}`)
  if (assignment.scope !== 'session') return new ProxyError('variable-scope', 1228, 'HY000', SESSION_ONLY)
  if (assignment.special === 'default') {
    facts.consistency.level = null
    return 'ok'
  }
  const value = assignment.valueText.replace(/^(['"`])(.*)\1$/, '$2')
  const level = parseLevel(value)
  if (level === null) return wrongValue(value)
  facts.consistency.level = level
  return 'ok'
}

const ALONE = `SET ${VARIABLE} has to be the only assignment of its statement`
/** ER_LOCAL_VARIABLE of MySQL (errmsg), which both flavours know. */
const SESSION_ONLY = `Variable '${VARIABLE}' is a SESSION variable and can't be used with SET GLOBAL`

/** ER_WRONG_VALUE_FOR_VAR, with what would be right. */
function wrongValue(value: string): ProxyError {
  const expected = `${CONSISTENCY_LEVELS.join(', ').replace(/, ([^,]*)$/, ' or $1')}, or DEFAULT`
  const message = `Variable '${VARIABLE}' can't be set to the value of '${value}' (sluice: expected ${expected})`
  return new ProxyError('variable-value', 1231, '42000', message)
}

const SELECT_VARIABLE =
  /^\s*select\s+(@@(?:(?:session|local)\s*\.\s*)?`?sluice_consistency`?)(?:\s+(?:as\s+)?(`[^`]+`|'[^']+'|"[^"]+"|\w+))?\s*(?:limit\s+\d+\s*)?;?\s*$/i

function selectVariable(
  sql: string,
  { consistency, user, statusFlags }: SessionFacts,
  view: TopologyView,
  { capabilities, mariadbCapabilities }: SessionText,
): Buffer | null {
  const found = SELECT_VARIABLE.exec(withoutComments(sql))
  if (found === null) return null
  const [, written, alias] = found
  const name = alias === undefined ? (written as string) : alias.replace(/^([`'"])(.*)\1$/, '$2')
  const level = consistency.levelFor(null, user, view.snapshot.consistency)
  return encodeTextResultSet([{ name }], [[level]], capabilities, { statusFlags, mariadbCapabilities })
}

const CALL_POSITION =
  /^\s*select\s+(sluice_position\s*\(\s*\))(?:\s+(?:as\s+)?(`[^`]+`|'[^']+'|"[^"]+"|\w+))?\s*;?\s*$/i

/** What all committed writes amount to, in one line. */
const POSITION: Readonly<Record<Flavor, string>> = {
  mysql: "REPLACE(@@GLOBAL.gtid_executed, '\n', '')",
  mariadb: '@@GLOBAL.gtid_binlog_pos',
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
function withoutComments(sql: string): string {
  return sql.replaceAll(/\/\*[^!+M].*?\*\//gs, ' ')
}
