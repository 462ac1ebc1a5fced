import { readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import type { Cluster } from '../../src/sandbox/index.js'
import { freePorts } from '../../src/sandbox/ports.js'
import { createDatabase, ownCluster } from '../helpers/cluster.js'
import { OpenApi } from '../helpers/openapi.js'
import { type RunningProxy, startProxy } from '../helpers/proxy.js'

const TOKEN = 'a-token-of-twenty-two-c'
const openApi = new OpenApi(new URL('../../docs/openapi.yaml', import.meta.url))
let cluster: Cluster
let proxy: RunningProxy
let api: string

beforeAll(async () => {
  cluster = await ownCluster('mysql', { replicas: 1 })
  await createDatabase(cluster)
  const [port] = await freePorts(1)
  api = `http://127.0.0.1:${port}`
  proxy = await startProxy(cluster, { api: { listen: `127.0.0.1:${port}`, token: TOKEN } })
})

interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: the answer is checked by its schema
  readonly body: any
}

/** Asks, and holds the answer against docs/openapi.yaml. */
async function ask(operation: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${api}${path}`, {
    method: operation.split(' ')[0],
    headers: { Authorization: `Bearer ${TOKEN}`, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const answer = { status: response.status, body: await response.json() }
  expect(openApi.problems(operation, answer.status, answer.body)).toEqual([])
  return answer
}

const idOf = (index: number): string => `127.0.0.1:${cluster.servers[index].port}`
const topology = () => ask('GET /v1/topology', '/v1/topology')

/** Status by server and hostgroup. */
async function statusOf(server: string): Promise<string[]> {
  const { body } = await topology()
  return body.servers
    .filter((one: { server: string }) => one.server === server)
    .map((one: { status: string }) => one.status)
}

describe('the HTTP API of a running proxy', () => {
  it('tells topology and servers', async () => {
    const { body } = await topology()
    expect(body.pairs).toEqual([{ writer_hostgroup: 0, reader_hostgroup: 1, writer: idOf(0), readers: [idOf(1)] }])
    const servers = await ask('GET /v1/servers', '/v1/servers')
    expect(servers.body.servers.map((one: { server: string }) => one.server)).toEqual([idOf(0), idOf(1)])
  })

  it('drains a server and takes it back: reads go to the other one meanwhile', async () => {
    const client = await proxy.connect()
    const port = async () => {
      const [rows] = await client.query('SELECT @@port AS port')
      return (rows as { port: number }[])[0].port
    }
    expect(await port()).toBe(cluster.servers[1].port)
    const drained = await ask('POST /v1/servers/{host}:{port}/drain', `/v1/servers/${idOf(1)}/drain`)
    expect(drained).toEqual({ status: 200, body: { server: idOf(1), status: 'OFFLINE_SOFT', warnings: [] } })
    expect(await port()).toBe(cluster.servers[0].port)
    expect(await statusOf(idOf(1))).toEqual(['OFFLINE_SOFT'])
    await ask('POST /v1/servers/{host}:{port}/enable', `/v1/servers/${idOf(1)}/enable`)
    expect(await statusOf(idOf(1))).toEqual(['ONLINE'])
    // As soon as it is known to have what the session has seen on the primary.
    await vi.waitFor(async () => expect(await port()).toBe(cluster.servers[1].port), 10_000)
    const unknown = await ask('POST /v1/servers/{host}:{port}/drain', '/v1/servers/127.0.0.1:1/drain')
    expect(unknown.status).toBe(404)
  })

  it('reads the file again, and says what is wrong with it', async () => {
    const text = readFileSync(proxy.configPath, 'utf8')
    const edited = parse(text)
    edited.servers[1].weight = 7
    writeFileSync(proxy.configPath, stringify(edited))
    const reloaded = await ask('POST /v1/reload', '/v1/reload')
    expect(reloaded).toMatchObject({ status: 200, body: { changed: ['MYSQL SERVERS'] } })
    const { body } = await ask('GET /v1/servers', '/v1/servers')
    expect(body.servers[1].weight).toBe(7)
    writeFileSync(proxy.configPath, text.replace('hostgroup: 1', 'hostgroup: none'))
    const refused = await ask('POST /v1/reload', '/v1/reload')
    expect(refused.status).toBe(422)
    expect(refused.body.error.message).toMatch(/servers\[1\]\.hostgroup: expected a whole number from 0 to/)
    writeFileSync(proxy.configPath, stringify(edited))
  })

  it('believes a failover when the servers agree, and says why not before', async () => {
    const failover = (server: string, waitMs: number) =>
      ask('POST /v1/events/failover', '/v1/events/failover', { new_primary: server, wait_ms: waitMs })
    const [primary, replica] = cluster.servers
    const early = await failover(idOf(1), 0)
    expect(early.status).toBe(409)
    const premature = await failover(idOf(1), 1000)
    expect(premature.status).toBe(409)
    expect(premature.body.error.message).toBe(`read_only = 1 on ${idOf(1)}`)
    expect((await failover('127.0.0.1:1', 1000)).status).toBe(404)

    await cluster.execute(primary, 'SET GLOBAL super_read_only = 1')
    const told = failover(idOf(1), 30_000)
    await cluster.waitForReplicas()
    await cluster.execute(replica, 'STOP REPLICA')
    await cluster.execute(replica, 'SET GLOBAL read_only = 0')
    expect(await told).toEqual({ status: 200, body: { writer: idOf(1), hostgroup: 0 } })
    await vi.waitFor(async () => expect((await topology()).body.pairs[0].writer).toBe(idOf(1)), 10_000)

    const client = await proxy.connect()
    await client.query('CREATE DATABASE after_failover')
    const rows = await cluster.execute(replica, "SHOW DATABASES LIKE 'after_failover'")
    expect(rows).toHaveLength(1)
  })
})
