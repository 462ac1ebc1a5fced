import { join } from 'node:path'
import type { DriverSuite } from '../run/driver-suite.js'
import { readPytest } from '../run/results.js'
import { fetchSource, pythonWith, withPytest } from './python.js'

const MINUTE_MS = 60_000

/** Tests of the dialect, and of all that runs on every database. */
const FOLDERS = ['test/dialect', 'test/engine', 'test/sql', 'test/orm']

/** @param driver the part of the URL after `mysql+` */
export function sqlalchemy(driver: 'mysqldb' | 'pymysql'): DriverSuite {
  return {
    name: `sqlalchemy-${driver}`,
    async prepare() {
      const source = await fetchSource('sqlalchemy', 'trixie')
      const extensions = await fetchSource('python-typing-extensions', 'trixie')
      const pymysql = await fetchSource('python-pymysql', 'trixie')
      const python = await pythonWith([join(source, 'lib'), join(extensions, 'src'), pymysql])
      return {
        statements: ['CREATE DATABASE test CHARSET utf8mb4', 'CREATE DATABASE test_schema CHARSET utf8mb4'],
        limitMs: 40 * MINUTE_MS,
        launch: ({ engine, port }) => {
          const url = `${engine}+${driver}://root@127.0.0.1:${port}/test?charset=utf8mb4`
          // Its own configuration stops after some failures.
          const options = ['--maxfail=100000', '--backend-only', '--dburi', url]
          return { ...withPytest(python, ...options, ...FOLDERS), cwd: source }
        },
        read: readPytest,
      }
    },
  }
}
