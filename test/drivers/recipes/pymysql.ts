import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DriverSuite } from '../run/driver-suite.js'
import { readPytest } from '../run/results.js'
import { fetchSource, pythonWith, withPytest } from './python.js'

const MINUTE_MS = 60_000
const SECOND_USER = { user: 'test2', password: 'some password' }

/** Its tests are part of the package, and read where the server is from a file among them. */
export const pymysql: DriverSuite = {
  name: 'pymysql',
  async prepare() {
    const source = await fetchSource('python-pymysql', 'trixie')
    const python = await pythonWith([])
    return {
      statements: [
        'CREATE DATABASE test1 DEFAULT CHARACTER SET utf8mb4',
        'CREATE DATABASE test2 DEFAULT CHARACTER SET utf8mb4',
        `CREATE USER ${SECOND_USER.user}@'%' IDENTIFIED BY '${SECOND_USER.password}'`,
        `GRANT ALL ON test2.* TO ${SECOND_USER.user}@'%'`,
      ],
      limitMs: 5 * MINUTE_MS,
      launch: ({ port, socket, folder }) => {
        cpSync(join(source, 'pymysql'), join(folder, 'pymysql'), { recursive: true })
        const server = { host: '127.0.0.1', port }
        const databases = [
          {
            ...server,
            unix_socket: socket,
            user: 'root',
            password: '',
            database: 'test1',
            use_unicode: true,
            local_infile: true,
          },
          { ...server, ...SECOND_USER, database: 'test2' },
        ]
        writeFileSync(join(folder, 'pymysql/tests/databases.json'), JSON.stringify(databases))
        return { ...withPytest(python, 'pymysql/tests'), cwd: folder }
      },
      read: readPytest,
    }
  },
}
