import { once } from 'node:events'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import { Command } from '../../../protocol/index.js'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { RawClient } from '../../helpers/raw-client.js'

const MIGHTY = { user: 'kill_any', password: 'kill-any-password' }
const OTHER = { user: 'kill_other', password: 'kill-other-password' }

describe.each<Engine>(['mysql', 'mariadb'])('KILL through Sluice, on %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    await cluster.execute(cluster.primary, `CREATE USER IF NOT EXISTS ${OTHER.user} IDENTIFIED BY '${OTHER.password}'`)
    const mayKill = engine === 'mysql' ? 'CONNECTION_ADMIN' : 'CONNECTION ADMIN'
    await cluster.execute(
      cluster.primary,
      `CREATE USER IF NOT EXISTS ${MIGHTY.user} IDENTIFIED BY '${MIGHTY.password}'`,
    )
    await cluster.execute(cluster.primary, `GRANT ${mayKill} ON *.* TO ${MIGHTY.user}`)
    await cluster.waitForReplicas()
    const { user, password } = cluster.accounts.app
    // Two workers: the session that is meant is with the other one half of the time.
    proxy = await startProxy(cluster, {
      workers: 2,
      users: [
        { name: user, password },
        { name: OTHER.user, password: OTHER.password },
        { name: MIGHTY.user, password: MIGHTY.password },
      ],
    })
  })

  /** Killer and victim on different workers, and on the same. */
  async function pairs(victimOptions = {}): Promise<[killer: Connection, victim: Connection][]> {
    const victim = () => proxy.connect(victimOptions)
    const worker = ({ threadId }: Connection) => threadId! % 64
    const found: [Connection, Connection][] = []
    let [same, different] = [false, false]
    for (let i = 0; i < 200 && !(same && different); i++) {
      const pair: [Connection, Connection] = [await proxy.connect(), await victim()]
      const equal = worker(pair[0]) === worker(pair[1])
      if (equal ? same : different) continue
      if (equal) same = true
      else different = true
      found.push(pair)
    }
    expect([same, different]).toEqual([true, true])
    return found
  }

  const ended = (connection: Connection): Promise<unknown> => once(connection as never, 'end')
  const serverId = async (connection: Connection): Promise<number> => {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT CONNECTION_ID() AS id')
    return rows[0]['id'] as number
  }
  /** Longer than the tests may take, and not repeated by anything. */
  const slowRead = (connection: Connection): Promise<boolean> =>
    killed(connection.query('SELECT SLEEP(60) AS slept FROM (SELECT 1 UNION SELECT 2) AS two'))
  const running = async (id: number): Promise<void> => {
    const admin = await adminConnection()
    for (let i = 0; i < 400; i++) {
      const [rows] = await admin.query<RowDataPacket[]>(
        `SELECT info FROM stats_mysql_processlist WHERE SessionID = ${id} AND info LIKE '%SLEEP%'`,
      )
      if (rows.length > 0) return
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error(`session ${id} never ran its statement`)
  }
  let admin: Connection | undefined
  const adminConnection = async (): Promise<Connection> => {
    admin ??= await proxy.connect({ port: proxy.adminPort, user: 'admin', password: 'admin' })
    return admin
  }
  /** A killed SLEEP says so by an error or, on MySQL, by its value. */
  const killed = async (read: Promise<unknown>): Promise<boolean> =>
    read.then(
      (answer) => (answer as [{ slept: number }[]])[0].some(({ slept }) => slept === 1),
      (error: { errno: number }) => {
        if (error.errno === 1317) return true
        throw error
      },
    )

  it('KILL QUERY by the id of the greeting ends a read on a replica, and the session goes on', async () => {
    for (const [killer, victim] of await pairs()) {
      const read = slowRead(victim)
      await running(victim.threadId!)
      await killer.query(`KILL QUERY ${victim.threadId}`)
      expect(await read).toBe(true)
      expect((await victim.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
    }
  })

  it('KILL QUERY by CONNECTION_ID() ends the statement wherever it runs', async () => {
    for (const [killer, victim] of await pairs()) {
      const id = await serverId(victim)
      const read = slowRead(victim)
      await running(victim.threadId!)
      await killer.query(`KILL QUERY ${id}`)
      expect(await read).toBe(true)
    }
  })

  it('KILL by either id, as a statement or a command, closes the connection of the client', async () => {
    // MySQL 9 has no COM_PROCESS_KILL any more.
    for (const by of engine === 'mysql' ? ['greeting', 'server'] : ['greeting', 'server', 'command']) {
      for (const [killer, victim] of await pairs()) {
        const id = by === 'server' ? await serverId(victim) : victim.threadId!
        await victim.query('SELECT 1')
        const end = ended(victim)
        if (by === 'command') await processKill(proxy, cluster, id)
        else await killer.query(`/* a comment */ KILL ${id};`)
        await end
        expect((await killer.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
      }
    }
  })

  it('KILL of a session whose statement runs closes the connection of its client, which is told of no lost server', async () => {
    for (const [killer, victim] of await pairs()) {
      await victim.beginTransaction() // what runs in one is not repeated elsewhere
      const read = slowRead(victim)
      const end = ended(victim)
      await running(victim.threadId!)
      await Promise.all([
        killer.query(`KILL ${victim.threadId}`),
        expect(read).rejects.toMatchObject({ code: 'PROTOCOL_CONNECTION_LOST' }),
      ])
      await end
    }
  })

  it('a session that never asked anything of a server can be killed by its own account', async () => {
    for (const [killer, victim] of await pairs()) {
      const end = ended(victim)
      await killer.query(`KILL CONNECTION ${victim.threadId}`)
      await end
    }
  })

  it('a session that kills itself is told so and closed, as by the server', async () => {
    for (const idOf of [serverId, ({ threadId }: Connection) => threadId, () => 'CONNECTION_ID()']) {
      const client = await proxy.connect()
      const id = await idOf(client)
      const end = ended(client)
      await expect(client.query(`KILL ${id}`)).rejects.toMatchObject({ errno: engine === 'mysql' ? 1317 : 1927 })
      await end
    }
  })

  it('sessions of others are killed only where the server allows it', async () => {
    for (const [, victim] of await pairs(OTHER)) {
      const killer = await proxy.connect(OTHER)
      const other = await proxy.connect()
      await other.query('SELECT 1')
      await expect(killer.query(`KILL ${other.threadId}`)).rejects.toMatchObject({ errno: 1095 })
      await expect(killer.query(`KILL ${(await proxy.connect()).threadId}`)).rejects.toMatchObject({ errno: 1095 })
      expect((await other.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
      const end = ended(victim)
      await killer.query(`KILL ${victim.threadId}`)
      await end
    }
  })

  it('a session that no server knows yet is killed by an account that may kill any', async () => {
    for (const [, victim] of await pairs()) {
      const killer = await proxy.connect(MIGHTY)
      await killer.query(`KILL QUERY ${victim.threadId}`)
      const end = ended(victim)
      await killer.query(`KILL ${victim.threadId}`)
      await end
    }
  })

  it('an id that nobody has is unknown, also one that looks like a session of Sluice', async () => {
    const client = await proxy.connect()
    for (const id of [2 ** 31 - 1, 2 ** 30 + 64_000_001, 999_999_999]) {
      await expect(client.query(`KILL ${id}`)).rejects.toMatchObject({ errno: 1094 })
    }
  })
})

/** COM_PROCESS_KILL, which mysql2 has no call for. */
async function processKill(proxy: RunningProxy, cluster: Cluster, id: number): Promise<void> {
  const { user: username, password } = cluster.accounts.app
  const raw = await RawClient.connect({ port: proxy.port, username, password })
  const payload = Buffer.alloc(4)
  payload.writeUInt32LE(id)
  expect((await raw.command(Command.PROCESS_KILL, payload))[4]).toBe(0x00)
  await raw.close()
}
