import type { DriverSuite } from '../run/driver-suite.js'
import { readPytest } from '../run/results.js'
import { fetchSource, pythonWith, withPytest } from './python.js'

const MINUTE_MS = 60_000

/** Through the unix socket: over TCP its tests want the certificate of the servers that its authors use. */
export const aiomysql: DriverSuite = {
  name: 'aiomysql',
  async prepare() {
    const source = await fetchSource('aiomysql', 'sid')
    const pymysql = await fetchSource('python-pymysql', 'trixie')
    const python = await pythonWith([source, pymysql])
    return {
      statements: [],
      limitMs: 5 * MINUTE_MS,
      launch: ({ socket }) => ({
        ...withPytest(python, `--mysql-unix-socket=unix=${socket}`, 'tests'),
        cwd: source,
      }),
      read: readPytest,
    }
  },
}
