import { DATABASES } from '../engine/schema.js'
import { notSupported, readOnly, unknownDatabase } from '../errors.js'
import { OK } from '../session.js'
import { isPunctuation, isWord } from '../tokens.js'
import { type AdminCommand, accept } from './command.js'

/** Statements by which clients set up their session. This port has no settings of a session, so most change nothing. */
export const SESSION_COMMANDS: readonly AdminCommand[] = [
  accept('USE <database>', ({ session }, match) => {
    const name = match.taken.get('database')?.value ?? ''
    const known = DATABASES.find((database) => database === name.toLowerCase())
    if (known === undefined) throw unknownDatabase(name, DATABASES)
    session.database = known
    return OK
  }),
  accept('SET ...', ({ view }, match) => {
    const [first, second, third] = match.rest
    const proxyVariable =
      (isWord(first, 'MYSQL') || isWord(first, 'ADMIN')) && isPunctuation(second, '-') && third !== undefined
    const named = first?.kind === 'variable' && /^(mysql|admin)-/.test(first.value)
    if (proxyVariable || named) throw readOnly(fileIsTheSource(view.config.path, 'limits: and monitor:'))
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

/** Why nothing can be changed here, and where it can. */
export function fileIsTheSource(path: string, section: string): string {
  return `the configuration is read-only here; change ${section} in ${path}, then send SIGHUP to Sluice`
}
