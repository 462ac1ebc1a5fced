import type { RouteExplanation, RouteQuestion } from '../../../shared/explanation.js'
import { noSession, notExplained, syntaxError } from '../errors.js'
import { type AdminResult, type CommandContext, type ExtraCommand, rows } from '../session.js'
import { STATEMENT_LENGTH_MAX } from '../tokens.js'

const EXPLAIN_ROUTE = /^\s*explain\s+route(?:\s+|(?=['"`]))/i
const VALUE = '(?:\'(?:[^\']|\'\')*\'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|[\\w$@.%-]+)'
/** `FOR USER u SCHEMA s SESSION id`, any of them, at the end of the statement. */
const TERMS = new RegExp(`(?:^|\\s)for((?:\\s+(?:user|schema|session)\\s+${VALUE})+)\\s*$`, 'i')
const TERM = new RegExp(`(user|schema|session)\\s+(${VALUE})`, 'gi')
/** The statement as a text in quotes, with nothing behind it. */
const QUOTED = /^'((?:[^']|'')*)'$|^"((?:[^"]|"")*)"$/

const EXPECTED = 'expected EXPLAIN ROUTE <statement> [FOR [USER name] [SCHEMA name] [SESSION id]]'

const COLUMNS = [
  'class',
  'effects',
  'consistency',
  'rule',
  'hostgroup',
  'chosen',
  'reason',
  'server',
  'server_hostgroup',
  'status',
  'weight',
  'lag_ms',
  'in_flight',
  'latency_ms',
  'taken',
  'why',
  'session',
] as const

/**
 * `EXPLAIN ROUTE <statement>`: a worker says where it would send the statement, and why. It is a statement in the dialect
 * of the servers, so nothing of it is read here but its end.
 */
export const EXPLAIN_ROUTE_COMMAND: ExtraCommand = {
  match: (sql) => EXPLAIN_ROUTE.test(sql),
  columns: COLUMNS,
  run: async (sql, { view }: CommandContext): Promise<AdminResult> => {
    const question = parseExplainRoute(sql)
    const answer = await view.explainRoute(question)
    if (answer === null) throw noSession(question.session)
    if ('problem' in answer) throw notExplained(answer.problem)
    return rows(COLUMNS, rowsOf(answer))
  },
}

/** Throws ProxyError (1064) for what is no such statement. */
export function parseExplainRoute(text: string): RouteQuestion {
  if (text.length > STATEMENT_LENGTH_MAX)
    throw syntaxError(`expected a statement of at most ${STATEMENT_LENGTH_MAX} characters`)
  const whole = text.replace(EXPLAIN_ROUTE, '').replace(/[\s;]+$/, '')
  const terms = TERMS.exec(whole)
  const sql = unquoted(terms === null ? whole : whole.slice(0, terms.index).trimEnd())
  if (sql.trim() === '') throw syntaxError(EXPECTED)
  const question = { sql, user: '', schema: '', session: 0 }
  for (const [, word, value] of terms?.[1].matchAll(TERM) ?? []) {
    const name = value.replace(/^(['"`])(.*)\1$/s, (_all, quote, inner) => inner.replaceAll(quote + quote, quote))
    if (word.toLowerCase() === 'session') question.session = sessionId(name)
    else question[word.toLowerCase() as 'user' | 'schema'] = name
  }
  if (question.session !== 0 && (question.user !== '' || question.schema !== '')) {
    throw syntaxError('expected either SESSION or USER and SCHEMA: a session has its own user and schema')
  }
  return question
}

function unquoted(sql: string): string {
  const found = QUOTED.exec(sql)
  if (found === null) return sql
  return found[1]?.replaceAll("''", "'") ?? found[2].replaceAll('""', '"')
}

function sessionId(text: string): number {
  const id = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (id === 0) throw syntaxError(`expected the number of a session (SHOW PROCESSLIST), got ${text}`)
  return id
}

/** One row for each server; one without a server where there is none to choose from. */
function rowsOf(answer: RouteExplanation): string[][] {
  const statement = [
    answer.class,
    answer.effects.join(', '),
    answer.consistency,
    answer.rule,
    String(answer.hostgroup),
    answer.chosen,
    answer.reason,
  ]
  const session = answer.session === null ? '' : JSON.stringify(answer.session)
  const none = new Array<string>(COLUMNS.length - statement.length - 1).fill('')
  if (answer.servers.length === 0) return [[...statement, ...none, session]]
  return answer.servers.map((server) => [
    ...statement,
    server.server,
    String(server.hostgroup),
    server.status,
    String(server.weight),
    server.lagMs === null ? '' : String(Math.round(server.lagMs)),
    String(server.inFlight),
    server.latencyMs === 0 ? '' : server.latencyMs.toFixed(2),
    String(Number(server.chosen)),
    server.why,
    session,
  ])
}
