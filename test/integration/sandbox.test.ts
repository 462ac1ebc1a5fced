import { existsSync } from 'node:fs'
import { createConnection } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import { attachCluster, type Cluster, type Engine, startCluster } from '../../src/sandbox/index.js'
import { processesWithArgument } from '../../src/sandbox/proc.js'
import { ownCluster } from '../helpers/cluster.js'

const ENGINES: readonly Engine[] = ['mysql', 'mariadb']

/** For tests that start servers, on a machine that has other things to do. */
const SLOW = { timeout: 120_000 }
const POLL = { timeout: 10_000 }

/** The value of the only row and column. */
async function value(cluster: Cluster, server: Cluster['primary'], sql: string): Promise<unknown> {
  const [row] = await cluster.execute(server, sql)
  return Object.values(row ?? {})[0]
}

describe.each(ENGINES)('a cluster of %s', (engine) => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await ownCluster(engine)
    await cluster.execute(cluster.primary, 'CREATE TABLE demo.notes (id INT PRIMARY KEY AUTO_INCREMENT, note TEXT)')
  })

  const write = (note: string) => cluster.execute(cluster.primary, 'INSERT INTO demo.notes (note) VALUES (?)', [note])
  const count = (server: Cluster['primary']) => value(cluster, server, 'SELECT COUNT(*) FROM demo.notes')

  it('is one primary that takes writes and two replicas that refuse them, even from root in MySQL', async () => {
    expect(cluster.servers.map(({ name, role }) => [name, role])).toEqual([
      ['primary', 'primary'],
      ['replica1', 'replica'],
      ['replica2', 'replica'],
    ])
    expect(await value(cluster, cluster.primary, 'SELECT @@GLOBAL.read_only')).toBe(0)
    for (const replica of cluster.replicas) {
      const { user, password } = cluster.accounts.app
      const app = await createConnection({ host: replica.host, port: replica.port, user, password })
      await expect(app.query("INSERT INTO demo.notes (note) VALUES ('no')")).rejects.toMatchObject({ errno: 1290 })
      await app.end()
      if (engine === 'mysql') expect(await value(cluster, replica, 'SELECT @@GLOBAL.super_read_only')).toBe(1)
    }
  })

  it('replicates by GTID: after waitForReplicas every replica has what was written', async () => {
    const before = Number(await count(cluster.primary))
    await write('first')
    await write('second')
    await cluster.waitForReplicas()
    for (const server of cluster.servers) expect(await count(server)).toBe(before + 2)
  })

  it('lets the app account make tables and routines, and the monitor account see replication', async () => {
    const connect = (server: Cluster['primary'], { user, password }: { user: string; password: string }) =>
      createConnection({ host: server.host, port: server.port, user, password })
    const app = await connect(cluster.primary, cluster.accounts.app)
    await app.query('CREATE TABLE test.own (id INT PRIMARY KEY)')
    await app.query('CREATE FUNCTION test.one() RETURNS INT DETERMINISTIC RETURN 1')
    await app.end()
    await cluster.waitForReplicas()
    const monitor = await connect(cluster.replicas[0]!, cluster.accounts.monitor)
    const [status] = await monitor.query(engine === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS')
    expect(status).toHaveLength(1)
    const [routines] = await monitor.query(
      "SELECT ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'test'",
    )
    expect(routines).toHaveLength(1)
    await expect(monitor.query('SELECT * FROM demo.notes')).rejects.toMatchObject({ errno: 1142 })
    await monitor.end()
  })

  it('keeps a replica behind as long as asked', async () => {
    const [replica] = cluster.replicas
    await cluster.setReplicaDelay(replica!, 3_600)
    const before = Number(await count(cluster.primary))
    await write('late')
    await expect(cluster.waitForReplicas(300)).rejects.toThrow(/replica1 has not caught up with primary after 300 ms/)
    expect(await count(replica!)).toBe(before)
    await cluster.setReplicaDelay(replica!, 0)
    await cluster.waitForReplicas()
    expect(await count(replica!)).toBe(before + 1)
  })

  it('says which replica does not follow when its replication is stopped', async () => {
    const [, replica] = cluster.replicas
    await cluster.stopReplication(replica!)
    await write('unseen')
    await expect(cluster.waitForReplicas(300)).rejects.toThrow(/replica2 .* its replication does not run/)
    await cluster.startReplication(replica!)
    await cluster.waitForReplicas()
  })

  it('has a replica back after a crash, with what it missed', async () => {
    const [replica] = cluster.replicas
    const former = replica!.pid
    await replica!.kill()
    expect(replica!.state()).toBe('stopped')
    await write('missed')
    await cluster.waitForReplicas() // does not wait for those that are down
    await replica!.start()
    expect(replica!.state()).toBe('running')
    expect(replica!.pid).not.toBe(former)
    await cluster.waitForReplicas()
    expect(await count(replica!)).toBe(await count(cluster.primary))
  })

  it('has a replica that hangs: it answers nothing until it is resumed', async () => {
    const [replica] = cluster.replicas
    replica!.pause()
    await expect.poll(() => replica!.state(), POLL).toBe('paused')
    const late = createConnection({ ...replica!.root(), connectTimeout: 300 })
    await expect(late).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    replica!.resume()
    await expect.poll(() => replica!.state(), POLL).toBe('running')
    expect(await value(cluster, replica!, 'SELECT 1')).toBe(1)
  })

  it('can be taken over by another process from its folder', async () => {
    const other = attachCluster(cluster.dir)
    expect(other?.servers.map(({ pid, port }) => [pid, port])).toEqual(
      cluster.servers.map(({ pid, port }) => [pid, port]),
    )
    expect(other?.primary.state()).toBe('running')
  })

  it('changes the primary: the old one follows, and nothing is lost', async () => {
    const [former, next] = [cluster.primary, cluster.replicas[0]!]
    const before = Number(await count(former))
    await cluster.promote(next)
    expect(cluster.primary.name).toBe(next.name)
    await write('to the new primary')
    await cluster.waitForReplicas()
    for (const server of cluster.servers) expect(await count(server)).toBe(before + 1)
    expect(await value(cluster, former, 'SELECT @@GLOBAL.read_only')).toBe(1)
    expect(await value(cluster, next, 'SELECT @@GLOBAL.read_only')).toBe(0)
  })

  it('changes the primary after its crash: it comes back as a replica', async () => {
    const [former, next] = [cluster.primary, cluster.replicas[0]!]
    await former.kill()
    await cluster.promote(next)
    await write('while the old one is down')
    await former.start()
    expect(await value(cluster, former, 'SELECT @@GLOBAL.read_only')).toBe(1)
    await cluster.waitForReplicas()
    expect(await count(former)).toBe(await count(next))
  })

  it('leaves no process and no folder when it goes down, whatever state its servers are in', async () => {
    cluster.replicas[0]!.pause()
    await cluster.replicas[1]!.kill()
    await cluster.down()
    await cluster.down()
    expect(processesWithArgument(`--datadir=${cluster.dir}/`)).toEqual([])
    expect(existsSync(cluster.dir)).toBe(false)
  })
})

describe.each(ENGINES)('semi-synchronous replication of %s', (engine) => {
  it('has every replica acknowledge, also to a new primary', SLOW, async () => {
    const cluster = await ownCluster(engine, { replicas: 1, semiSync: true })
    const isOn = async () => {
      const name = engine === 'mysql' ? 'Rpl_semi_sync_source' : 'Rpl_semi_sync_master'
      const [row] = await cluster.execute<{ Value: string }[]>(cluster.primary, `SHOW STATUS LIKE '${name}_clients'`)
      return Number(row?.Value)
    }
    await expect.poll(isOn, POLL).toBe(1)
    await cluster.promote(cluster.replicas[0]!)
    await expect.poll(isOn, POLL).toBe(1)
    await cluster.execute(cluster.primary, 'CREATE TABLE demo.t (id INT PRIMARY KEY)')
    await cluster.waitForReplicas()
    await cluster.down()
  })
})

describe('a cluster that cannot come up', () => {
  it('leaves nothing behind and shows what the server said', SLOW, async () => {
    const serverOptions = ['--no-such-option-at-all']
    const seen: string[] = []
    const starting = startCluster({
      engine: 'mariadb',
      replicas: 1,
      serverOptions,
      progress: ({ message }) => seen.push(message),
    })
    await expect(starting).rejects.toThrow(/primary does not start: .*no-such-option-at-all/)
    expect(seen).toContain('starting 2 servers')
  })
})
