import { join } from 'node:path'
import type { DriverSuite } from '../run/driver-suite.js'
import { readUnittest } from '../run/results.js'
import { fetchSource, pythonWith } from './python.js'

const MINUTE_MS = 60_000

/** With PyMySQL, which it prefers to mysqlclient. */
export const peewee: DriverSuite = {
  name: 'peewee',
  async prepare() {
    const source = await fetchSource('peewee', 'sid')
    const pymysql = await fetchSource('python-pymysql', 'trixie')
    const python = await pythonWith([pymysql])
    return {
      statements: ['CREATE DATABASE peewee_test CHARSET utf8mb4'],
      limitMs: 10 * MINUTE_MS,
      launch: ({ port, folder }) => {
        const options = ['--engine=mysql', '--verbosity=2', '--mysql-host=127.0.0.1', `--mysql-port=${port}`]
        return {
          command: [...python.command, join(source, 'runtests.py'), ...options, '--mysql-user=root'],
          env: python.env,
          cwd: folder,
        }
      },
      read: readUnittest,
    }
  },
}
