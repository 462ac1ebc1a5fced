import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { admin, metric, until, value } from './observe.js'

describe.each<Engine>(['mysql', 'mariadb'])('a dry run in front of %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY)`)
    await cluster.waitForReplicas()
    const { user: name, password } = cluster.accounts.app
    proxy = await startProxy(cluster, { users: [{ name, password, dry_run: true }] })
  }, 120_000)

  const counted = async (place: string) => {
    const rows = await admin(proxy, `SELECT * FROM stats_sluice_dry_run WHERE place = '${place}'`)
    return Object.fromEntries(rows.map((row) => [row['reason'], Number(row['count_star'])]))
  }

  it('keeps everything on the primary, and counts what would have been split, text and prepared', async () => {
    const client = await proxy.connect({ database })
    for (let at = 0; at < 5; at++) expect(await value(client, 'SELECT @@port')).toBe(cluster.primary.port)
    await client.execute('SELECT @@port AS port')
    await client.query('/* sluice: replica */ SELECT 1')
    await client.query('START TRANSACTION READ ONLY')
    expect(await value(client, 'SELECT @@port')).toBe(cluster.primary.port)
    await client.query('COMMIT')
    await client.query('INSERT INTO t VALUES (1)')
    const reads = await until('the counters', async () => {
      const found = await counted('replica')
      return (found['it only reads'] ?? 0) >= 7 ? found : null
    })
    expect(reads['a hint asks for a replica']).toBe(1)
    expect((await counted('primary'))['it may write']).toBe(1)
    expect(await metric(proxy, 'sluice_dry_run_statements_total')).toBeGreaterThanOrEqual(9)
    // Not before a replica has the INSERT.
    const { hostgroup } = await until('the explanation of a read', async () => {
      const [row] = await admin(proxy, `EXPLAIN ROUTE SELECT 1 FOR USER ${cluster.accounts.app.user}`)
      return row.reason?.includes('a replica would be right: it only reads') === true ? row : null
    })
    expect(hostgroup).toBe('0')
  })

  it('ends with a LOAD, for the sessions that come then', async () => {
    const before = await proxy.connect({ database })
    await admin(proxy, 'UPDATE mysql_users SET dry_run = 0')
    await admin(proxy, 'LOAD MYSQL USERS TO RUNTIME')
    const after = await proxy.connect({ database })
    const replicas = cluster.replicas.map(({ port }) => port)
    await until('a replica to be read', async () => replicas.includes(Number(await value(after, 'SELECT @@port'))))
    expect(await value(before, 'SELECT @@port')).toBe(cluster.primary.port)
  })
})
