import { once } from 'node:events'
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  AuthPlugin,
  decodeAuthSwitch,
  encodeChangeUser,
  Frame,
  Framer,
  frame,
  nativeResponse,
} from '../../../protocol/index.js'
import type { Cluster } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES } from '../../helpers/raw-client.js'
import { rawSession } from '../../wire/raw-session.js'

const NAME = `changing_${process.pid}`
const PASSWORD = 'secret'

/** Client libraries answer an auth switch by the challenge of the session, so that is what has to come with it. */
describe('COM_CHANGE_USER by mysql_native_password, in front of MariaDB', () => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await sharedCluster('mariadb')
    await cluster.execute(cluster.primary, `CREATE USER ${NAME} IDENTIFIED BY '${PASSWORD}'`)
    await cluster.waitForReplicas()
    const { user, password } = cluster.accounts.app
    const users = [
      { name: user, password },
      { name: NAME, password: PASSWORD },
    ]
    proxy = await startProxy(cluster, { users, limits: { max_failed_logins: 0 } })
  })

  /** The server's packets, in short, where the client answers by `first` at once and by `switched` when it is asked. */
  async function change(port: number, first: string, switched: string): Promise<string[]> {
    const { user, password } = cluster.accounts.app
    const { socket, login } = await rawSession(
      { host: '127.0.0.1', port },
      { username: user, password, capabilities: PLAIN_CAPABILITIES },
    )
    const { scramble } = login.greeting
    const authResponse = nativeResponse(first, scramble)
    const request = { username: NAME, authResponse, collation: 45, authPlugin: AuthPlugin.NATIVE }
    socket.write(frame(encodeChangeUser(request, login.capabilities), 0))
    const framer = new Framer()
    const seen: string[] = []
    while (!/^(ok|err)/.test(seen.at(-1) ?? '')) {
      while (framer.next() !== Frame.packet) framer.push((await once(socket, 'data'))[0])
      const payload = framer.buffer.subarray(framer.start, framer.end)
      if (payload[0] === 0) seen.push(`ok ${framer.sequence}`)
      else if (payload[0] === 0xff) seen.push(`err ${framer.sequence} ${payload.readUInt16LE(1)}`)
      else if (payload[0] === 0xfe) {
        const { plugin, data } = decodeAuthSwitch(payload)!
        const challenge = data.subarray(0, 20)
        seen.push(`${plugin} ${framer.sequence} ${challenge.equals(scramble) ? 'of the session' : 'new'}`)
        socket.write(frame(nativeResponse(switched, challenge), framer.sequence + 1))
      } else throw new Error(payload.toString('latin1'))
    }
    socket.destroy()
    return seen
  }

  it.each([
    ['the right password', PASSWORD, PASSWORD],
    ['a wrong one', 'wrong', 'wrong'],
    ['none', '', ''],
    ['a wrong one first and the right one when asked', 'wrong', PASSWORD],
    ['the right one first and a wrong one when asked', PASSWORD, 'wrong'],
  ])('with %s is the exchange that the server has', async (_what, first, switched) => {
    const direct = await change(cluster.primary.port, first, switched)
    expect(direct).toHaveLength(2)
    expect(await change(proxy.port, first, switched)).toEqual(direct)
  })
})

/** The server resets the session, then looks who it is to be, and on a refusal leaves it who it was. */
describe('COM_CHANGE_USER that MariaDB refuses', () => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster('mariadb')
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY)`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, { limits: { max_failed_logins: 0 } })
  })

  const STATE = `SELECT CURRENT_USER(), DATABASE(), @kept, @@sql_mode, @@autocommit, @@character_set_client,
    @@character_set_results, @@collation_connection, (SELECT COUNT(*) FROM t)`

  /** What a session that has set up much finds after it. */
  async function refuse(port: number, wanted: Record<string, string>): Promise<unknown[]> {
    const { user, password } = cluster.accounts.app
    const connection: Connection = await createConnection({ host: '127.0.0.1', port, user, password, database })
    const seen: unknown[] = []
    const attempt = (promise: Promise<unknown>) =>
      promise.then(
        (answer) => answer,
        ({ errno, sqlState }) => ({ errno, sqlState }),
      )
    await connection.query("SET NAMES koi8r, @kept = 1, sql_mode = 'ANSI_QUOTES', autocommit = 0")
    await connection.query('CREATE TEMPORARY TABLE kept (id INT)')
    await connection.query('INSERT INTO t VALUES (1)')
    const statement = await connection.prepare('SELECT 1')
    for (let time = 0; time < 4; time++) {
      seen.push(await attempt(connection.changeUser({ user, password, database, ...wanted })))
      seen.push((await connection.query<RowDataPacket[]>({ sql: STATE, rowsAsArray: true }))[0])
      seen.push(await attempt(connection.query('SELECT * FROM kept')))
    }
    seen.push(await attempt(statement.execute([])))
    connection.destroy()
    return seen
  }

  it.each([
    ['for a wrong password', { password: 'wrong' }],
    ['for an unknown schema', { database: 'no_such_schema' }],
    ['for an unknown user', { user: 'no_such_user' }],
  ])('%s leaves the session who it was, with nothing of what it has set up', async (_why, wanted) => {
    const direct = await refuse(cluster.primary.port, wanted)
    expect(await refuse(proxy.port, wanted)).toEqual(direct)
  })
})
