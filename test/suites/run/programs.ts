import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Engine, libraryFolders, prefixCommand } from '../../../src/sandbox/index.js'
import { fetchPackages, type Packages } from '../../clients/run/packages.js'

/** The servers' own test suites, as Debian packages them: the files, `mysqltest`, and the command lines that tests call. */
const PACKAGES: Record<Engine, Packages> = {
  mysql: { kind: 'debian', names: ['mysql-testsuite'], suite: 'sid' },
  mariadb: { kind: 'debian', names: ['mariadb-test'] },
}

const PLACES: Record<Engine, { files: string; mysqltest: string; share: string; command: (name: string) => string }> = {
  mysql: {
    files: 'usr/lib/mysql-test',
    mysqltest: 'usr/lib/mysql-test/bin/mysqltest',
    share: 'usr/share/mysql',
    command: (name) => `usr/bin/mysql${name}`,
  },
  mariadb: {
    files: 'usr/share/mysql/mysql-test',
    mysqltest: 'usr/bin/mariadb-test',
    share: 'usr/share/mysql',
    command: (name) => `usr/bin/mariadb${name === '' ? '' : `-${name}`}`,
  },
}

export interface SuitePrograms {
  readonly engine: Engine
  /** The folder that mysql-test-run calls MYSQL_TEST_DIR. */
  readonly files: string
  readonly share: string
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
  return {
    engine,
    files: join(prefix, places.files),
    share: join(prefix, places.share),
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
