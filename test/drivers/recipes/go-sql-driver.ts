import { join } from 'node:path'
import { cacheFolder } from '../../../src/sandbox/index.js'
import { run } from '../../../src/sandbox/run.js'
import { goOf } from '../../clients/run/languages.js'
import { fetchPackages, MACHINE_C_LIBRARY } from '../../clients/run/packages.js'
import type { DriverSuite } from '../run/driver-suite.js'
import { readGoTest } from '../run/results.js'

const MINUTE_MS = 60_000
const IMPORT = 'github.com/go-sql-driver/mysql'

/** They connect to addresses outside the machine. */
const LEFT_OUT = '^(TestConnectorReturnsTimeout|TestConnectorTimeouts)$'

/** Its tests are part of the package of its sources; compiled once. */
export const goSqlDriver: DriverSuite = {
  name: 'go-sql-driver',
  async prepare() {
    const names = ['golang-go', 'golang-github-go-sql-driver-mysql-dev']
    const prefix = await fetchPackages('go-tests', {
      kind: 'debian',
      names,
      suite: 'sid',
      leaveOut: MACHINE_C_LIBRARY,
    })
    const build = join(cacheFolder(), 'clients', 'go-tests-build')
    const { command, env } = goOf(prefix, build)
    const program = join(build, 'go-sql-driver.test')
    const compile = [...command, 'test', '-c', '-o', program, IMPORT]
    const { code, output } = await run(compile, { env: { ...process.env, ...env } })
    if (code !== 0) throw new Error(`go test -c ${IMPORT} failed: ${output}`)
    return {
      statements: ['CREATE DATABASE gotest'],
      limitMs: 5 * MINUTE_MS,
      launch: ({ port, folder }) => ({
        command: [program, '-test.v', `-test.skip=${LEFT_OUT}`],
        env: {
          MYSQL_TEST_ADDR: `127.0.0.1:${port}`,
          MYSQL_TEST_DBNAME: 'gotest',
          MYSQL_TEST_USER: 'root',
          MYSQL_TEST_CONCURRENT: '1',
        },
        cwd: folder,
      }),
      read: readGoTest,
    }
  },
}
