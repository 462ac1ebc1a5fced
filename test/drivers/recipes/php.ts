import { cpSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readOsRelease } from '../../../src/sandbox/index.js'
import { debian, phpOf } from '../../clients/run/languages.js'
import { fetchPackages } from '../../clients/run/packages.js'
import type { DriverSuite } from '../run/driver-suite.js'
import { readPhpt } from '../run/results.js'
import { fetchSource } from './python.js'

const MINUTE_MS = 60_000
const TEST_LIMIT_S = 60
const DATABASE = 'phptest'

/** Those of the program that runs the tests. */
const RUNNER_MODULES = ['tokenizer', 'posix']

/** The tests of an extension, from the sources of the version that Debian has compiled. Their files are written beside them. */
export const php = (extension: 'mysqli' | 'pdo_mysql'): DriverSuite => ({
  name: `php-${extension}`,
  async prepare() {
    const { command, env } = phpOf(await fetchPackages('php', debian('php-cli', 'php-mysql')))
    const [program = '', ...settings] = command
    // As it was released: not every mirror keeps the sources of security updates.
    const source = await fetchSource(basename(program), readOsRelease().codename)
    return {
      statements: [`CREATE DATABASE ${DATABASE}`],
      limitMs: 15 * MINUTE_MS,
      launch: ({ port, folder }) => {
        // What is common to all PDO drivers is taken from the folder of PDO.
        for (const name of [extension, 'pdo']) {
          mkdirSync(join(folder, 'ext', name), { recursive: true })
          cpSync(join(source, 'ext', name, 'tests'), join(folder, 'ext', name, 'tests'), { recursive: true })
        }
        cpSync(join(source, 'run-tests.php'), join(folder, 'run-tests.php'))
        const modules = RUNNER_MODULES.map((module) => `-dextension=${module}`)
        const runner = [program, ...settings.filter((one) => !one.includes('mysql')), ...modules, 'run-tests.php']
        const tests = settings.flatMap((one) => (one.startsWith('-d') ? ['-d', one.slice(2)] : [one]))
        return {
          command: [
            ...runner,
            '-p',
            program,
            '-q',
            '--no-progress',
            '--no-color',
            '--show-diff',
            ...tests,
            `ext/${extension}/tests`,
          ],
          env: {
            ...env,
            ...whereTo(port),
            NO_INTERACTION: '1',
            SKIP_SLOW_TESTS: '1',
            TEST_TIMEOUT: String(TEST_LIMIT_S),
          },
          cwd: folder,
        }
      },
      read: readPhpt,
    }
  },
})

function whereTo(port: number): Record<string, string> {
  const dsn = `mysql:host=127.0.0.1;port=${port};dbname=${DATABASE}`
  const place = { HOST: '127.0.0.1', PORT: String(port), USER: 'root', PASSWD: '', PASS: '', DB: DATABASE, DSN: dsn }
  const prefixes = ['MYSQL_TEST', 'PDO_MYSQL_TEST', 'PDOTEST']
  return Object.fromEntries(
    prefixes.flatMap((prefix) => Object.entries(place).map(([name, value]) => [`${prefix}_${name}`, value])),
  )
}
