import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Connection } from 'mysql2/promise'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine, SandboxServer } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { admin, until, value } from './observe.js'

const SLOW = { timeout: 90_000 }
/** Failures in a row after which nobody tries for a while. */
const FAILURES_MAX = 3
/** The pause after them; each probe that fails doubles it. */
const PAUSE_FIRST_MS = 1000

/**
 * The door of a real server: while it refuses, connections are reset as soon as they come, those that are there go on. So
 * the monitor, which keeps its connection, finds the server well, and workers do not get in.
 */
class Gate {
  refuses = false
  refused = 0
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((client) => {
    if (this.refuses) {
      this.refused++
      client.resetAndDestroy()
      return
    }
    const server = connect({ host: '127.0.0.1', port: this.#port })
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
    client.pipe(server)
    server.pipe(client)
  })
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** Ends the connections that are there. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.#server.close()
    this.cut()
  }
}

describe.each<Engine>(['mysql', 'mariadb'])('a %s server', (engine) => {
  let cluster: Cluster
  let database: string
  const ofTest: { gates: Gate[]; proxies: RunningProxy[] } = { gates: [], proxies: [] }

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY)`)
    await cluster.waitForReplicas()
  })

  afterEach(async () => {
    await Promise.all(ofTest.proxies.splice(0).map((proxy) => proxy.stop()))
    for (const gate of ofTest.gates.splice(0)) gate.close()
  })

  /** A proxy that reaches the given server through a gate, and others as they are. */
  async function behindGate(server: SandboxServer, others: readonly SandboxServer[], limits = {}) {
    const gate = new Gate(server.port)
    ofTest.gates.push(gate)
    const port = await gate.listen()
    const servers = [serverConfig(server, { port }), ...others.map((other) => serverConfig(other))]
    const proxy = await startProxy(cluster, { servers, limits })
    ofTest.proxies.push(proxy)
    const status = async () => {
      const rows = await admin(proxy, `SELECT status FROM runtime_mysql_servers WHERE port = ${port}`)
      return rows.map((row) => row['status']).join()
    }
    await until('the monitor to have seen it', async () => (await status()) === 'ONLINE')
    return { gate, proxy, status }
  }

  const portOf = (client: Connection) => value(client, 'SELECT @@port')

  it(
    'that refuses connections gets few attempts, nobody notices, and it is used as soon as it is back',
    SLOW,
    async () => {
      const [replica] = cluster.replicas
      const { gate, proxy, status } = await behindGate(replica, [cluster.primary])
      gate.refuses = true
      const clients = await Promise.all(Array.from({ length: 4 }, () => proxy.connect()))
      const startedAt = performance.now()
      let reads = 0
      const readAll = async () => {
        for (const port of await Promise.all(clients.map(portOf))) expect(port).toBe(cluster.primary.port)
        reads += clients.length
      }
      // Until the third probe has failed: after it there is a pause of eight times the first one.
      let opened = 0
      while (opened === 0 || gate.refused < opened + 3) {
        await readAll()
        if (opened === 0 && gate.refused >= FAILURES_MAX && reads >= 200) opened = gate.refused
      }
      // The attempts that were under way when the third one failed, and one for each pause.
      expect(opened).toBeLessThanOrEqual(
        clients.length + FAILURES_MAX + (performance.now() - startedAt) / PAUSE_FIRST_MS,
      )
      expect(reads).toBeGreaterThan(20 * gate.refused)
      expect(await status()).toBe('ONLINE')
      // The monitor sees it go and come back: nobody waits for the end of the pause.
      gate.cut()
      await until('the server to be missed', async () => (await status()) !== 'ONLINE')
      gate.refuses = false
      await until('the server to be back', async () => (await status()) === 'ONLINE')
      await until('reads on it', async () => (await portOf(clients[0])) === replica.port, 4 * PAUSE_FIRST_MS)
    },
  )

  it('that is the only one and refuses is waited for, with few attempts, however many wait', SLOW, async () => {
    const { gate, proxy } = await behindGate(cluster.primary, [], { connect_timeout_server_max: 60_000 })
    const clients = await Promise.all(Array.from({ length: 12 }, () => proxy.connect()))
    gate.refuses = true
    const startedAt = performance.now()
    const writes = clients.map((client, id) => client.query(`INSERT INTO ${database}.t VALUES (${id})`))
    await until('as many attempts as open the breaker', () => gate.refused >= FAILURES_MAX)
    const opened = gate.refused
    await until('probes', () => gate.refused >= opened + 2)
    const pauses = (performance.now() - startedAt) / PAUSE_FIRST_MS
    expect(gate.refused).toBeLessThanOrEqual(clients.length + FAILURES_MAX + pauses)
    gate.refuses = false
    await Promise.all(writes)
    expect(await value(clients[0], `SELECT COUNT(*) FROM ${database}.t FOR UPDATE`)).toBe(clients.length)
  })

  it('gets no more connections in a second than throttle_connections_per_sec_to_hostgroup', SLOW, async () => {
    const perSecond = 5
    const proxy = await startProxy(cluster, { limits: { throttle_connections_per_sec_to_hostgroup: perSecond } })
    ofTest.proxies.push(proxy)
    const clients = await Promise.all(Array.from({ length: 4 * perSecond }, () => proxy.connect()))
    const startedAt = performance.now()
    const ids = await Promise.all(
      clients.map(async (client) => {
        await client.query('BEGIN')
        return await value(client, 'SELECT CONNECTION_ID()')
      }),
    )
    // All at once, each on its own: the first ones are free, and so many come with every second.
    expect(new Set(ids).size).toBe(clients.length)
    expect(performance.now() - startedAt).toBeGreaterThan(((clients.length - perSecond) / perSecond) * 1000 * 0.95)
  })
})
