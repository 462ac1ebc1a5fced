import { expect, it } from 'vitest'
import { ProbeConnection } from '../../src/control/monitor/probe.js'
import { NO_SERVER_TLS } from '../../src/shared/snapshot.js'
import { sharedCluster } from '../helpers/cluster.js'

it('the monitor logs in over a unix socket with caching_sha2_password, also when the server has forgotten the password', async () => {
  const { primary, accounts, execute } = await sharedCluster('mysql')
  // FLUSH PRIVILEGES empties the plugin's cache: the server asks for the password itself.
  await execute(primary, 'FLUSH LOCAL PRIVILEGES')
  const probe = await ProbeConnection.open({
    id: primary.socket,
    host: primary.socket,
    port: 0,
    tls: NO_SERVER_TLS,
    proxyProtocol: 'off',
    ...accounts.monitor,
    connectTimeoutMs: 10_000,
  })
  expect(await probe.query(['SELECT 1 AS one'], 10_000)).toEqual([[{ one: 1 }]])
  probe.close()
})
