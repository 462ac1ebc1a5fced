import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DriverSuite } from '../run/driver-suite.js'
import { readPytest } from '../run/results.js'
import { fetchSource, pythonWith, withPytest } from './python.js'

const MINUTE_MS = 60_000

/** The tests of the version that Debian has compiled. */
export const mysqlclient: DriverSuite = {
  name: 'mysqlclient',
  async prepare() {
    const source = await fetchSource('python-mysqldb')
    const python = await pythonWith([])
    return {
      statements: ['CREATE DATABASE test'],
      limitMs: 5 * MINUTE_MS,
      launch: ({ port, folder }) => {
        const options = { host: '127.0.0.1', port, user: 'root', database: 'test', 'default-character-set': 'utf8mb4' }
        const lines = Object.entries(options).map(([name, value]) => `${name}=${value}\n`)
        const file = join(folder, 'tests.cnf')
        writeFileSync(file, `[MySQLdb-tests]\n${lines.join('')}`)
        const { command, env } = withPytest(python, '.')
        return { command, env: { ...env, TESTDB: file }, cwd: join(source, 'tests') }
      },
      read: readPytest,
    }
  },
}
