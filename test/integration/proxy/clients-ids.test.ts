import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'

describe.each<Engine>(['mysql', 'mariadb'])('the connection id in the greeting, on %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    proxy = await startProxy(cluster)
  })

  it('is none that a server gives to its connections: KILL of it never ends the statement of a stranger', async () => {
    const [client, other] = [await proxy.connect(), await proxy.connect()]
    expect(client.threadId).toBeGreaterThanOrEqual(2 ** 30)
    expect(client.threadId).toBeLessThan(2 ** 31)
    expect(other.threadId).not.toBe(client.threadId)
    await expect(other.query(`KILL QUERY ${client.threadId}`)).rejects.toMatchObject({ errno: 1094 })
  })
})
