import type { Connection } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { type AdminClient, asking } from './ask.js'
import { commandLineClient, mysql2Client } from './clients.js'

/**
 * The failover script of every tutorial, on servers whose roles nothing but the table says: two primaries for Sluice, of
 * hostgroup 0 one and of hostgroup 1 the other, without replication_hostgroups. What is written shows where it was written.
 */
let cluster: Cluster
let schema: string

beforeAll(async () => {
  cluster = await sharedCluster('mysql')
  schema = await createDatabase(cluster)
})

const [OLD, NEW] = [0, 1]
const server = (which: number) => (which === OLD ? cluster.primary : cluster.replicas[0])

const start = () =>
  startProxy(cluster, {
    replication_hostgroups: [],
    servers: [
      serverConfig(server(OLD), { hostgroup: 0 }),
      serverConfig(server(NEW), { hostgroup: 1 }),
      serverConfig(cluster.replicas[1], { hostgroup: 2 }),
    ],
  })

/** Where a write of this session goes: the server's own port, asked for in a way that only hostgroup 0 may answer. */
async function writerOf(app: Connection): Promise<number> {
  const [rows] = await app.query("SELECT @@port AS port, GET_LOCK('failover', 0), RELEASE_LOCK('failover')")
  return (rows as { port: number }[])[0].port
}

const CLIENTS: readonly [string, (proxy: RunningProxy) => Promise<AdminClient>][] = [
  ['the command line mysql', (proxy) => commandLineClient(loginOf(proxy))],
  ['mysql2 with prepared statements', (proxy) => mysql2Client(loginOf(proxy), 'execute')],
]

function loginOf({ adminPort: port }: RunningProxy) {
  return { port, user: 'admin', password: 'admin' }
}

describe.each(CLIENTS)('%s', (_name, connect) => {
  it('moves the writes by UPDATE mysql_servers, LOAD and SAVE', async () => {
    const proxy = await start()
    const app = await proxy.connect({ database: schema })
    expect(await writerOf(app)).toBe(server(OLD).port)

    const client = await connect(proxy)
    const ask = asking(client)
    const where = (which: number) => `hostname='127.0.0.1' AND port=${server(which).port}`
    // The old one leaves before the new one comes, as in the tutorials; nothing of it has effect before LOAD.
    await ask(`UPDATE mysql_servers SET hostgroup_id=3 WHERE ${where(OLD)}`, { affected: 1 })
    await ask(`UPDATE mysql_servers SET hostgroup_id=0 WHERE ${where(NEW)}`, { affected: 1 })
    expect(await writerOf(app)).toBe(server(OLD).port)
    await ask('LOAD MYSQL SERVERS TO RUNTIME')
    expect(await writerOf(app)).toBe(server(NEW).port)
    const later = await proxy.connect({ database: schema })
    expect(await writerOf(later)).toBe(server(NEW).port)
    await ask('SAVE MYSQL SERVERS TO DISK')
    const listed = 'SELECT hostgroup_id FROM %s WHERE port = ?'
    for (const table of ['runtime_mysql_servers', 'mysql_servers', 'disk.mysql_servers']) {
      await ask(listed.replace('%s', table), { rows: [['0']] }, [server(NEW).port])
      await ask(listed.replace('%s', table), { rows: [['3']] }, [server(OLD).port])
    }
    await client.close()
  })

  it('drains a server with OFFLINE_SOFT: a transaction there ends well, what comes after goes elsewhere', async () => {
    const proxy = await start()
    const client = await connect(proxy)
    const ask = asking(client)
    const app = await proxy.connect({ database: schema })
    await app.beginTransaction()
    expect(await writerOf(app)).toBe(server(OLD).port)
    await ask('REPLACE INTO mysql_servers(hostgroup_id,hostname,port) VALUES(?,?,?)', { affected: 1 }, [
      0,
      '127.0.0.1',
      server(NEW).port,
    ])
    const drain = `UPDATE mysql_servers SET status='OFFLINE_SOFT' WHERE hostgroup_id=0 AND port=${server(OLD).port}`
    await ask(drain, { affected: 1 })
    await ask('LOAD MYSQL SERVERS TO RUNTIME')
    expect(await writerOf(app)).toBe(server(OLD).port)
    await app.commit()
    expect(await writerOf(app)).toBe(server(NEW).port)
    await ask(`DELETE FROM mysql_servers WHERE hostgroup_id=0 AND port=${server(OLD).port}`, { affected: 1 })
    await ask('LOAD MYSQL SERVERS TO RUNTIME')
    expect(await writerOf(app)).toBe(server(NEW).port)
    await client.close()
  })
})
