import type { Connection } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from '../../../src/sandbox/index.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { admin, until } from './observe.js'

const WORKERS = 3
const LIMIT_OF_USER = 4
const LIMIT_OF_ALL = 7
const ROUNDS = 4

describe('limits of client connections hold over all workers, however the kernel spreads them', () => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await sharedCluster('mysql')
    const { user: name, password } = cluster.accounts.app
    proxy = await startProxy(cluster, {
      workers: WORKERS,
      limits: { max_connections: LIMIT_OF_ALL },
      users: [{ name, password, max_connections: LIMIT_OF_USER }],
    })
  })

  /** The first answer comes behind the news of each worker, the second one behind their taking it. */
  async function allKnow(): Promise<void> {
    await admin(proxy, 'SHOW WORKERS')
    await admin(proxy, 'SHOW WORKERS')
  }

  async function leave(client: Connection, left: number): Promise<void> {
    await client.end()
    const sessions = async () => {
      const rows = await admin(proxy, 'SHOW WORKERS')
      return rows.reduce((sum, row) => sum + Number(row['sessions']), 0)
    }
    await until('the client to be gone', async () => (await sessions()) === left)
    await allKnow()
  }

  it("a user's max_connections", async () => {
    const inside: Connection[] = []
    for (let round = 0; round < ROUNDS; round++) {
      while (inside.length < LIMIT_OF_USER) {
        inside.push(await proxy.connect())
        await allKnow()
      }
      await expect(proxy.connect()).rejects.toMatchObject({ errno: 1226 })
      await leave(inside.shift() as Connection, LIMIT_OF_USER - 1)
    }
    while (inside.length > 0) await leave(inside.pop() as Connection, inside.length)
  })

  it('max_connections', async () => {
    const { user, password } = cluster.accounts.root
    const inside: Connection[] = []
    for (let round = 0; round < ROUNDS; round++) {
      while (inside.length < LIMIT_OF_ALL) {
        inside.push(await proxy.connect({ user, password }))
        await allKnow()
      }
      await expect(proxy.connect({ user, password })).rejects.toMatchObject({ errno: 1040 })
      await leave(inside.shift() as Connection, LIMIT_OF_ALL - 1)
    }
    while (inside.length > 0) await leave(inside.pop() as Connection, inside.length)
  })
})
