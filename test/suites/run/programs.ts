import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Engine, libraryFolders, prefixCommand } from '../../../src/sandbox/index.js'
import { fetchPackages, type Packages } from '../../clients/run/packages.js'

/** The servers' own test suites, as Debian packages them: the files, `mysqltest`, and the command lines that tests call. */
const PACKAGES: Record<Engine, Packages> = {
  mysql: { kind: 'debian', names: ['mysql-testsuite'], suite: 'sid' },
  mariadb: { kind: 'debian', names: ['mariadb-test'] },
}

/**
 * Included files that ask for what is beside the point: that server connections end with the sessions (Sluice keeps them for the next
 * ones), and that GTIDs are switched off on a server that has a replica. Tests go on without them.
 */
const PASSED_OVER = [
  'include/wait_until_count_sessions.inc',
  'include/rpl/set_gtid_mode_off.inc',
  'include/rpl/set_gtid_mode_on.inc',
]

interface Places {
  readonly files: string
  readonly mysqltest: string
  readonly share: string
  readonly timeZones: string
  readonly command: (name: string) => string
}

const PLACES: Record<Engine, Places> = {
  mysql: {
    files: 'usr/lib/mysql-test',
    mysqltest: 'usr/lib/mysql-test/bin/mysqltest',
    share: 'usr/share/mysql',
    timeZones: 'usr/lib/mysql-test/include/mtr_test_data_timezone.sql',
    command: (name) => `usr/bin/mysql${name}`,
  },
  mariadb: {
    files: 'usr/share/mysql/mysql-test',
    mysqltest: 'usr/bin/mariadb-test',
    share: 'usr/share/mysql',
    timeZones: 'usr/share/mysql/mysql_test_data_timezone.sql',
    command: (name) => `usr/bin/mariadb${name === '' ? '' : `-${name}`}`,
  },
}

export interface SuitePrograms {
  readonly engine: Engine
  /** The folder that mysql-test-run calls MYSQL_TEST_DIR. */
  readonly files: string
  readonly share: string
  /** What mysql-test-run fills the time zones' tables with. */
  readonly timeZones: string
  readonly mysqltest: readonly string[]
  /** Where MariaDB's clients find their login plugins; empty for MySQL, whose clients have them built in. */
  readonly clientPlugins: string
  /** Command of one of the client programs: '' is the command line, others `dump`, `admin`, ... */
  client(name: string): readonly string[]
}

/** @throws Error when the packages cannot be had or do not hold what is needed */
export async function fetchSuite(engine: Engine): Promise<SuitePrograms> {
  const prefix = await fetchPackages(`${engine}-suite`, PACKAGES[engine])
  const places = PLACES[engine]
  const command = (program: string) => {
    const found = prefixCommand(prefix, program)
    if (found === undefined) throw new Error(`${program} is not in the packages of ${engine}'s test suite`)
    return found
  }
  const files = join(prefix, places.files)
  for (const name of PASSED_OVER) if (existsSync(join(files, name))) writeFileSync(join(files, name), '')
  return {
    engine,
    files,
    share: join(prefix, places.share),
    timeZones: join(prefix, places.timeZones),
    mysqltest: command(places.mysqltest),
    clientPlugins:
      libraryFolders(prefix)
        .map((folder) => join(folder, 'libmariadb3/plugin'))
        .find(existsSync) ?? '',
    client: (name) => command(places.command(name)),
  }
}

/** Folder of a suite's .test files: MySQL keeps those of `main` in t/, all others in suite/NAME/t. */
export function suiteFolder({ engine, files }: SuitePrograms, suite: string): string {
  if (suite === 'main') return join(files, engine === 'mysql' ? 't' : 'main')
  const folder = join(files, 'suite', suite)
  return readdirSync(folder).includes('t') ? join(folder, 't') : folder
}
