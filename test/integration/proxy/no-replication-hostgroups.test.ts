import { expect, it } from 'vitest'
import { sharedCluster } from '../../helpers/cluster.js'
import { serverConfig, startProxy } from '../../helpers/proxy.js'

for (const engine of ['mysql', 'mariadb'] as const) {
  it(`what a single ${engine} server refuses is told at once where no replication hostgroups are configured`, async () => {
    const cluster = await sharedCluster(engine)
    const overrides = { servers: [serverConfig(cluster.primary)], replication_hostgroups: [] }
    const proxy = await startProxy(cluster, { ...overrides, limits: { connect_timeout_server_max: 60_000 } })
    await expect(proxy.connect({ database: 'no_such_schema' })).rejects.toMatchObject({ errno: 1049 })
    const client = await proxy.connect({ database: 'test' })
    await expect(client.query('USE no_such_schema')).rejects.toMatchObject({ errno: 1049 })
  })
}
