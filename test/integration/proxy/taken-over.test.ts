import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { until } from './observe.js'

describe.each<Engine>(['mysql', 'mariadb'])('a connection to %s that another session has had', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `ALTER DATABASE ${database} CHARACTER SET cp1251`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster)
  })

  async function connect() {
    const { user, password } = cluster.accounts.app
    return createConnection({ host: '127.0.0.1', port: proxy.port, user, password, database })
  }

  const CHARSETS =
    '/* sluice: primary */ SELECT @@character_set_database, @@collation_connection, @@div_precision_increment'

  // A reset sets it to the server's own, though the schema stays.
  it('has the character set of the schema, by which SET CHARACTER SET and LOAD DATA go', async () => {
    const before = await connect()
    await before.query('SET div_precision_increment = 9')
    await before.query(CHARSETS)
    await before.end()
    const after = await connect()
    await after.query('SET CHARACTER SET utf8mb4')
    const [[row]] = await after.query<RowDataPacket[][]>({ sql: CHARSETS, rowsAsArray: true })
    expect(row).toEqual(['cp1251', 'cp1251_general_ci', 4])
    // The worker reports now and then.
    await until('a reset to be counted', async () =>
      /^sluice_backend_connections_reset_total\S* [1-9]/m.test(await proxy.metrics()),
    )
    await after.end()
  })

  // MariaDB does not know it; a client of MySQL names it as a matter of course.
  it('has the character set of a login with utf8mb4_0900_ai_ci, whoever was there before', async () => {
    const { user, password } = cluster.accounts.app
    const CHARSETS =
      '/* sluice: primary */ SELECT @@character_set_client, @@collation_connection, @@character_set_results'
    const connect = (port: number, charset: string) =>
      createConnection({ host: '127.0.0.1', port, user, password, database, charset })
    const ask = async (client: Connection) =>
      (await client.query<RowDataPacket[][]>({ sql: CHARSETS, rowsAsArray: true }))[0]
    const other = await connect(cluster.primary.port, 'UTF8MB4_BIN')
    await other.end()
    const direct = await connect(cluster.primary.port, 'UTF8MB4_0900_AI_CI')
    const expected = await ask(direct)
    await direct.end()
    for (let time = 0; time < 4; time++) {
      const client = await connect(proxy.port, 'UTF8MB4_0900_AI_CI')
      expect(await ask(client)).toEqual(expected)
      await client.query('SET div_precision_increment = 9')
      await ask(client)
      await client.end()
    }
  })
})
