import type { Connection, ConnectionOptions } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { SESSION_IDS } from '../../../src/shared/ipc.js'
import { ownCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { rejection, until, value } from './observe.js'

const SLOW = { timeout: 60_000 }
const ROUNDS = 10
const ACCOUNT = { user: 'grantee', password: 'grantee' }

describe.each<Engine>(['mysql', 'mariadb'])('what a client changes through one worker, on %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await ownCluster(engine, { replicas: 1 })
    const { primary, accounts } = cluster
    await cluster.execute(primary, `CREATE USER ${ACCOUNT.user} IDENTIFIED BY '${ACCOUNT.password}'`)
    await cluster.execute(primary, 'CREATE TABLE test.granted (a INT)')
    await cluster.execute(primary, `GRANT ALL ON *.* TO ${accounts.app.user} WITH GRANT OPTION`)
    await cluster.waitForReplicas()
    const { user, password } = accounts.app
    proxy = await startProxy(cluster, {
      workers: 2,
      users: [
        { name: user, password },
        { name: ACCOUNT.user, password: ACCOUNT.password },
      ],
    })
  }, 120_000)

  const workerOf = ({ threadId }: Connection): number => threadId! % SESSION_IDS.workersMax

  /** A client on a worker that fits: the kernel chooses, so others are closed again. */
  function clientOn(isMeant: (worker: number) => boolean, options: ConnectionOptions = {}): Promise<Connection> {
    return until('a client on that worker', async () => {
      const client = await proxy.connect(options)
      if (isMeant(workerOf(client))) return client
      client.destroy()
      return null
    })
  }

  it(
    'global variables: sessions of another worker begin with them as soon as the client has its OK',
    SLOW,
    async () => {
      const changer = await proxy.connect()
      const elsewhere = (worker: number) => worker !== workerOf(changer)
      for (let round = 1; round <= ROUNDS; round++) {
        // Leaves connections that the next session of its worker gets.
        const before = await clientOn(elsewhere)
        await value(before, 'SELECT @@port')
        await before.query('DO 1')
        await before.query('CREATE TABLE IF NOT EXISTS test.touched (a INT)')
        await before.end()
        const fresh = await clientOn(elsewhere)
        const size = 65_536 + round * 4_096
        await changer.query(`SET GLOBAL sort_buffer_size = ${size}`)
        expect(await value(fresh, 'SELECT @@sort_buffer_size')).toBe(size)
        expect(await value(fresh, 'SELECT @@global.sort_buffer_size')).toBe(size)
      }
    },
  )

  it('privileges: the next session of another worker has them as soon as the client has its OK', SLOW, async () => {
    const changer = await proxy.connect()
    const elsewhere = (worker: number) => worker !== workerOf(changer)
    const insert = 'INSERT INTO test.granted VALUES (1)'
    for (let round = 1; round <= ROUNDS; round++) {
      const before = await clientOn(elsewhere, ACCOUNT)
      expect(await rejection(before.query(insert))).toMatchObject({ errno: 1142 })
      await before.end()
      const granted = await clientOn(elsewhere, ACCOUNT)
      await changer.query(`GRANT INSERT ON *.* TO ${ACCOUNT.user}`)
      await granted.query(insert)
      await granted.end()
      const revoked = await clientOn(elsewhere, ACCOUNT)
      await changer.query(`REVOKE INSERT ON *.* FROM ${ACCOUNT.user}`)
      expect(await rejection(revoked.query(insert))).toMatchObject({ errno: 1142 })
      await revoked.end()
    }
  })

  it('a worker that has taken the place of another knows that global variables were set', SLOW, async () => {
    const changer = await proxy.connect()
    await changer.query('SET GLOBAL sort_buffer_size = 299008')
    const before = proxy.workerPids()
    for (const pid of before) process.kill(pid, 'SIGKILL')
    await until('other workers', () => {
      const pids = proxy.workerPids()
      return pids.length === before.length && pids.every((pid) => !before.includes(pid))
    })
    const read = async () => value(await proxy.connect(), 'SELECT @@sort_buffer_size')
    expect(await until('an answer', () => read().catch(() => null))).toBe(299_008)
  })
})
