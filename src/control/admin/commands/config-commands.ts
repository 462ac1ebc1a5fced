import { UsageError } from '../../../shared/errors.js'
import { notSupported, readOnly, syntaxError, tlsNotReloaded } from '../errors.js'
import { type AdminResult, type CommandContext, OK } from '../session.js'
import { tablesNamed } from '../sql-text.js'
import type { Token } from '../tokens.js'
import { type AdminCommand, adminOnly } from './command.js'
import { fileIsTheSource } from './session-commands.js'

const refuseWrite = ({ view }: CommandContext, { rest }: { readonly rest: readonly Token[] }): never => {
  throw readOnly(fileIsTheSource(view.config.path, sectionOf(rest)))
}

/** Reads the files of `tls` again, as SIGHUP does with all of the configuration. */
async function reloadTls({ view }: CommandContext): Promise<AdminResult> {
  try {
    await view.reloadTls()
    return OK
  } catch (error) {
    if (error instanceof UsageError) throw tlsNotReloaded(error.message)
    throw error
  }
}

/** Everything that would change the configuration: the file alone does. */
export const CONFIG_COMMANDS: readonly AdminCommand[] = [
  adminOnly('{INSERT|REPLACE|UPDATE|DELETE} ...', refuseWrite),
  adminOnly('{LOAD|SAVE} {MYSQL|ADMIN|SCHEDULER|PROXYSQL|SLUICE|CONFIG} ...', refuseWrite),
  adminOnly('{LOAD|SAVE} ...', () => {
    throw syntaxError(
      'expected LOAD or SAVE, then MYSQL USERS, MYSQL SERVERS, MYSQL QUERY RULES, MYSQL VARIABLES or ADMIN VARIABLES, ' +
        'then TO or FROM and a layer',
    )
  }),
  adminOnly('SELECT CONFIG INTO OUTFILE ...', ({ view }) => {
    throw readOnly(`this port writes no files; the configuration is ${view.config.path}`)
  }),
  adminOnly('TRUNCATE ...', () => {
    throw notSupported('statistics cannot be emptied; compare two readings instead')
  }),
  adminOnly('{PROXYSQL|SLUICE} RELOAD TLS', reloadTls),
  adminOnly('{PROXYSQL|SLUICE} ...', () => {
    throw notSupported('expected a signal to the process instead: SIGTERM drains and stops Sluice')
  }),
  adminOnly('KILL ...', () => {
    throw notSupported('sessions cannot be ended from here; send KILL to the server that SHOW FULL PROCESSLIST names')
  }),
]

const SECTIONS: Readonly<Record<string, string>> = {
  mysql_servers: 'servers:',
  mysql_users: 'users:',
  mysql_replication_hostgroups: 'replication_hostgroups:',
  global_variables: 'limits: and monitor:',
  SERVERS: 'servers: and replication_hostgroups:',
  USERS: 'users:',
  USER: 'users:',
  VARIABLES: 'limits: and monitor:',
}

/** The section of sluice.yaml that holds what the statement names. */
function sectionOf(tokens: readonly Token[]): string {
  for (const table of tablesNamed(tokens)) if (table in SECTIONS) return SECTIONS[table]
  for (const token of tokens) {
    const word = token.text.toUpperCase()
    if (Object.hasOwn(SECTIONS, word)) return SECTIONS[word]
  }
  return 'it'
}
