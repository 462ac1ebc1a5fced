import { isPunctuation, isWord, scan, type Token } from './tokens.js'

const MASK = "'***'"
const TEXT_LENGTH_MAX = 2_000
/** Columns whose values are secrets, wherever they stand. */
const SECRET_COLUMNS: ReadonlySet<string> = new Set(['password', 'backend_password'])
/** Variables whose values are. */
const SECRET_VARIABLE = /password|credential|secret|token/
/** A variable's name, whether it stands as a text or as a word. */
const VARIABLE_NAME = /^(mysql|admin)-\w+$/
/** Where `password` stands when INSERT names no columns. */
const USERS_PASSWORD_AT = 1

/**
 * An admin statement as it may be shown in logs: on one line, without the passwords in it. Where it is not sure which of
 * its values is a secret, all of them are taken out.
 */
export function withoutSecrets(sql: string): string {
  return cut(masked(sql).replaceAll(/\s+/g, ' ').trim())
}

function cut(text: string): string {
  return text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)}...`
}

function masked(sql: string): string {
  let tokens: readonly Token[]
  try {
    tokens = scan(sql)
  } catch {
    // What cannot be read could be anything.
    return `${/^\s*\w+/.exec(sql)?.[0] ?? ''} ... (not understood)`
  }
  const secret = secretsOf(tokens)
  return tokens.map((token, at) => (token.spaced && at > 0 ? ' ' : '') + (secret(at) ? MASK : token.text)).join('')
}

type IsSecret = (at: number) => boolean

function secretsOf(tokens: readonly Token[]): IsSecret {
  const [first] = tokens
  const names = tokens.map(({ value }) => value.toLowerCase())
  const isValue = (at: number): boolean => ['string', 'double', 'number'].includes(tokens[at].kind)
  if (isWord(first, 'SET') || names.includes('global_variables')) {
    return (at) => isValue(at) && !VARIABLE_NAME.test(names[at]) && namesSecret(names)
  }
  if (!names.some((name) => name === 'mysql_users' || SECRET_COLUMNS.has(name))) return () => false
  const positions = isWord(first, 'UPDATE') ? updated(tokens, names) : inserted(tokens, names)
  return positions === null ? isValue : (at) => isValue(at) && positions.has(at)
}

/** Without the name of a variable, the statement may be about all of them. */
function namesSecret(names: readonly string[]): boolean {
  const joined = names.join('')
  const variables = names.filter((name) => VARIABLE_NAME.test(name))
  return SECRET_VARIABLE.test(joined) || (names.includes('global_variables') && variables.length === 0)
}

/** `SET password = value` of UPDATE: everything up to the next assignment. */
function updated(tokens: readonly Token[], names: readonly string[]): Set<number> {
  const positions = new Set<number>()
  let depth = 0
  let inSecret = false
  for (const [at, token] of tokens.entries()) {
    if (isPunctuation(token, '(')) depth++
    else if (isPunctuation(token, ')')) depth--
    else if (SECRET_COLUMNS.has(names[at])) inSecret = true
    else if (depth === 0 && isPunctuation(token, ',')) inSecret = false
    else if (depth === 0 && isWord(token, 'WHERE')) inSecret = false
    if (inSecret) positions.add(at)
  }
  return positions
}

/** The password's place in each row of INSERT ... VALUES; null: it is not of that form. */
function inserted(tokens: readonly Token[], names: readonly string[]): Set<number> | null {
  const values = tokens.findIndex((token) => isWord(token, 'VALUES'))
  if (!['insert', 'replace'].includes(names[0]) || values < 0) return null
  const open = tokens.findIndex((token) => isPunctuation(token, '('))
  const columns = open < values ? names.slice(open + 1, values - 1).filter((name) => name !== ',') : null
  const secret = (place: number): boolean =>
    columns === null ? place === USERS_PASSWORD_AT : SECRET_COLUMNS.has(columns[place] ?? 'password')
  const positions = new Set<number>()
  let depth = 0
  let place = 0
  for (let at = values + 1; at < tokens.length; at++) {
    const token = tokens[at]
    if (isPunctuation(token, '(')) {
      depth++
      if (depth === 1) place = 0
    } else if (isPunctuation(token, ')')) depth--
    else if (depth === 1 && isPunctuation(token, ',')) place++
    else if (depth === 0 ? !isPunctuation(token, ',') : secret(place)) positions.add(at)
  }
  return positions
}
