import { join } from 'node:path'
import { fetchPackages, MACHINE_C_LIBRARY, type Packages } from '../../clients/run/packages.js'
import type { DriverSuite } from '../run/driver-suite.js'
import { readPytest } from '../run/results.js'
import { fetchSource, pythonWith, withPytest } from './python.js'

const MINUTE_MS = 60_000

/** Newer than the machine's own suite may have it. */
const TYPING_EXTENSIONS: Packages = {
  kind: 'debian',
  names: ['python3-typing-extensions'],
  suite: 'sid',
  leaveOut: MACHINE_C_LIBRARY,
}

/** Those that run on a database; the ORM's say the same of it once more, and take long. */
const FOLDERS = ['test/dialect', 'test/engine', 'test/sql']

/** @param driver the part of the URL after `mysql+` */
export function sqlalchemy(driver: 'mysqldb' | 'pymysql'): DriverSuite {
  return {
    name: `sqlalchemy-${driver}`,
    async prepare() {
      const source = await fetchSource('sqlalchemy', 'sid')
      const extensions = await fetchPackages('python-typing-extensions', TYPING_EXTENSIONS)
      const pymysql = await fetchSource('python-pymysql', 'trixie')
      const python = await pythonWith([join(source, 'lib'), join(extensions, 'usr/lib/python3/dist-packages'), pymysql])
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
