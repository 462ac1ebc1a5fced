import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { serverConfig, startProxy } from '../../helpers/proxy.js'
import { admin, until, value } from './observe.js'

const READS = 10
/** Far above what a poll of a near server takes on a busy machine. */
const LIMIT_MS = 400
const FAR_MS = 600

/** The way to a real server, which takes as long as is said. */
class Distance {
  ms = 0
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((client) => {
    const server = connect({ host: '127.0.0.1', port: this.#port, noDelay: true })
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      this.#sockets.add(from)
      from.setNoDelay(true)
      from.on('error', () => {})
      from.on('close', () => to.destroy())
      from.on('data', (chunk) => setTimeout(() => to.write(chunk), from === client ? this.ms : 0))
    }
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

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

describe.each<Engine>(['mysql', 'mariadb'])('a replica of %s that is far away (max_latency_ms)', (engine) => {
  let cluster: Cluster
  const ways: Distance[] = []
  beforeAll(async () => {
    cluster = await sharedCluster(engine)
  })
  afterAll(() => {
    for (const way of ways) way.close()
  })

  it('is not read from while another one is nearer, and is when all are far', { timeout: 120_000 }, async () => {
    const [near, far] = cluster.servers.filter(({ role }) => role === 'replica')
    const servers = [serverConfig(cluster.primary, { max_latency_ms: LIMIT_MS })]
    for (const server of [near, far]) {
      const way = new Distance(server.port)
      ways.push(way)
      servers.push(serverConfig(server, { port: await way.listen(), max_latency_ms: LIMIT_MS }))
    }
    const [nearWay, farWay] = ways.slice(-2)
    const monitor = {
      ping_timeout: 5000,
      read_only_timeout: 5000,
      replication_lag_timeout: 5000,
      connect_timeout: 5000,
    }
    const proxy = await startProxy(cluster, { servers, monitor, limits: { connect_timeout_server: 10_000 } })
    const client = await proxy.connect()
    const readsOn = async (): Promise<Set<unknown>> => {
      const ports = new Set<unknown>()
      for (let i = 0; i < READS; i++) ports.add(await value(client, 'SELECT /* sluice: consistency=eventual */ @@port'))
      return ports
    }
    const events = async (what: string) =>
      (await admin(proxy, `SHOW EVENTS WHERE kind = 'topology' AND what LIKE '${what}%'`)).map((row) => row['why'])
    const both = [near.port, far.port].sort()
    await until('reads to go to both', async () => [...(await readsOn())].sort().join() === both.join())

    farWay.ms = FAR_MS
    await until('the far one to be slow', async () => (await events('slow in hostgroup 1')).length === 1, 60_000)
    expect(await events('slow in hostgroup 1')).toEqual([`its ping latency is over ${LIMIT_MS} ms`])
    await until('reads to go to the near one alone', async () => {
      const ports = await readsOn()
      return ports.size === 1 && ports.has(near.port)
    })
    const routes = await admin(proxy, 'EXPLAIN ROUTE SELECT 1')
    expect(routes.map((route) => route['why'])).toContain(
      `its ping latency is over ${LIMIT_MS} ms, and there are others`,
    )
    const statuses = await admin(proxy, 'SELECT DISTINCT status FROM runtime_mysql_servers')
    expect(statuses).toEqual([{ status: 'ONLINE' }])

    nearWay.ms = FAR_MS
    await until('both to be slow', async () => (await events('slow in hostgroup 1')).length === 2, 60_000)
    await until('reads to go to both', async () => [...(await readsOn())].sort().join() === both.join(), 60_000)

    farWay.ms = 0
    await until('the far one to be near', async () => (await events('no longer slow')).length === 1, 60_000)
    await until('reads to go there alone', async () => {
      const ports = await readsOn()
      return ports.size === 1 && ports.has(far.port)
    })
    await proxy.stop()
  })
})
