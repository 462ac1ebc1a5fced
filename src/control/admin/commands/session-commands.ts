import { DATABASES } from '../engine/schema.js'
import { notSupported, syntaxError, tableDenied, unknownDatabase, unknownVariable } from '../errors.js'
import { type AdminResult, type CommandContext, OK } from '../session.js'
import { isPunctuation, isWord, type Token } from '../tokens.js'
import { type AdminCommand, accept } from './command.js'
import { refused } from './transfer.js'

/** Statements by which clients set up their session. This port has no settings of a session, so most change nothing. */
export const SESSION_COMMANDS: readonly AdminCommand[] = [
  accept('USE <database>', ({ session }, match) => {
    const name = match.taken.get('database')?.value ?? ''
    const known = DATABASES.find((database) => database === name.toLowerCase())
    if (known === undefined) throw unknownDatabase(name, DATABASES)
    session.database = known
    return OK
  }),
  accept('SET ...', (context, match) => {
    const [first] = match.rest
    const assignment = variableAssignment(isWord(first, 'GLOBAL') ? match.rest.slice(1) : match.rest)
    if (assignment !== null) return setVariable(context, assignment)
    if (isWord(first, 'GLOBAL') || isWord(first, 'PERSIST') || isWord(first, 'PASSWORD')) {
      throw notSupported('this port has no variables but mysql-... and admin-...; SHOW VARIABLES lists them')
    }
    // What remains is a session's own: names, character set, autocommit, sql_mode, time_zone ...
    return OK
  }),
  accept('BEGIN [WORK]', () => OK),
  accept('START TRANSACTION ...', () => OK),
  accept('COMMIT ...', () => OK),
  accept('ROLLBACK ...', () => OK),
]

interface Assignment {
  readonly name: string
  readonly value: string
}

/** `mysql-x = 'v'` or `@@mysql-x = v`; null: it is about something else. */
function variableAssignment(tokens: readonly Token[]): Assignment | null {
  const [first, dash] = tokens
  const isPlain = (isWord(first, 'MYSQL') || isWord(first, 'ADMIN')) && isPunctuation(dash, '-')
  const isNamed = first?.kind === 'variable' && /^(mysql|admin)-/.test(first.value)
  if (!isPlain && !isNamed) return null
  const equals = tokens.findIndex((token) => isPunctuation(token, '=') || isPunctuation(token, ':='))
  const value = tokens.slice(equals + 1)
  const isNegative = value.length === 2 && isPunctuation(value[0], '-')
  if (equals < 0 || value.length === 0 || (value.length > 1 && !isNegative)) {
    throw syntaxError("expected SET mysql-name = 'value', one variable at a time")
  }
  const before = tokens.slice(0, equals)
  return {
    name: isNamed
      ? first.value
      : before
          .map(({ text }) => text)
          .join('')
          .toLowerCase(),
    value: value.map((token) => token.value).join(''),
  }
}

/** Changes the variable in memory, as an UPDATE of global_variables would. */
async function setVariable({ view, session }: CommandContext, { name, value }: Assignment): Promise<AdminResult> {
  if (session.role !== 'admin') throw tableDenied(session.user, 'global_variables', 'UPDATE')
  const known = await refused(() => view.store.setVariable(name, value))
  if (!known) throw unknownVariable(name)
  return { kind: 'ok', info: '', affectedRows: 1 }
}
