import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SandboxError } from '../errors.js'
import { run } from '../run.js'
import type { ServerBinaries } from '../types.js'
import { runBeside, serverCommand } from './launch.js'
import { initialiseArguments, userArguments } from './options.js'

/** Makes the system tables in the new folder `datadir`, inside the sandbox folder `dir`. root gets no password. */
export async function initialiseDatadir(
  binaries: ServerBinaries,
  dir: string,
  datadir: string,
  signal?: AbortSignal,
): Promise<void> {
  mkdirSync(datadir, { recursive: true })
  const { engine, launch } = binaries
  // An image of MariaDB keeps the scripts inside; its own program knows where.
  const hasScripts = engine === 'mariadb' && launch.kind === 'process'
  const command =
    engine === 'mariadb' && launch.kind === 'container'
      ? mariadbInstallCommand(datadir)
      : serverCommand(launch, initialiseArguments(engine, datadir))
  const input = hasScripts ? { input: mariadbSystemTables(launch.shareDir) } : {}
  const result = await runBeside(launch, dir, command, { signal, ...input })
  if (result.code === 0) return
  const errors = result.output.split('\n').filter((line) => /error/i.test(line))
  const said = (errors.length > 0 ? errors : result.output.split('\n')).slice(-4).join(' | ').trim()
  throw new SandboxError(`the server cannot make its system tables in ${datadir}: ${said}`)
}

/**
 * Copies an initialised folder for another server: much quicker than making the tables again. Holes stay holes, and where the
 * file system can share blocks it does.
 */
export async function copyDatadir(from: string, to: string, signal?: AbortSignal): Promise<void> {
  const result = await run(['cp', '--archive', '--sparse=always', '--reflink=auto', from, to], { signal })
  if (result.code !== 0) throw new SandboxError(`${from} cannot be copied: ${result.output.trim()}`)
  rmSync(join(to, 'auto.cnf'), { force: true }) // the server's UUID: each makes its own
}

function mariadbInstallCommand(datadir: string): string[] {
  const options = ['--skip-test-db', '--auth-root-authentication-method=normal', `--datadir=${datadir}`]
  return ['mariadb-install-db', '--no-defaults', ...userArguments(), ...options]
}

/** The scripts that mariadb-install-db feeds to the server, without the help tables; see its manual page. */
const SYSTEM_TABLE_SCRIPTS = [
  'system_tables.sql',
  'performance_tables.sql',
  'system_tables_data.sql',
  'maria_add_gis_sp_bootstrap.sql',
  'sys_schema.sql',
]

function mariadbSystemTables(shareDir: string | undefined): string {
  if (shareDir === undefined) throw new SandboxError('the scripts with the system tables of this MariaDB are not found')
  const scripts = SYSTEM_TABLE_SCRIPTS.map((name) => {
    // Newer releases begin the names with mariadb_.
    const candidates = [name, `mysql_${name}`, `mariadb_${name}`].map((candidate) => join(shareDir, candidate))
    const path = candidates.find((candidate) => existsSync(candidate))
    if (path === undefined) throw new SandboxError(`${name} is missing in ${shareDir}`)
    return readFileSync(path, 'utf8')
  })
  const before = ['CREATE DATABASE mysql;', 'USE mysql;', 'SET @auth_root_socket=NULL;', '']
  return [before.join('\n'), ...scripts].join('\n')
}
