import { readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { encodeProxyHeader, type ProxyEndpoints } from '../../../protocol/index.js'
import type { Cluster } from '../../../src/sandbox/index.js'
import { ownCluster, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { type HandLogin, loginByHand } from '../../helpers/tls-client.js'
import { admin, until } from './observe.js'

const SLOW = { timeout: 60_000 }

function client(sourceAddress: string, sourcePort = 51_234): ProxyEndpoints {
  const family = sourceAddress.includes(':') ? 'tcp6' : 'tcp4'
  const destinationAddress = family === 'tcp6' ? '2001:db8::1' : '198.51.100.1'
  return { family, sourceAddress, sourcePort, destinationAddress, destinationPort: 3306 }
}

async function reload(proxy: RunningProxy, changes: Record<string, unknown>): Promise<void> {
  const config = parse(readFileSync(proxy.configPath, 'utf8')) as Record<string, unknown>
  writeFileSync(proxy.configPath, stringify({ ...config, ...changes }))
  process.kill(proxy.pid, 'SIGHUP')
}

async function refusal(port: number, opening: Buffer): Promise<HandLogin['error']> {
  const login = await loginByHand(port, { opening })
  login.socket.destroy()
  return login.error
}

describe('PROXY protocol headers of clients', () => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await sharedCluster('mysql')
    proxy = await startProxy(cluster, { proxy_protocol_networks: ['127.0.0.0/8'], workers: 2 })
  }, SLOW.timeout)

  const places = async (): Promise<string[]> => {
    const rows = await admin(proxy, 'SELECT cli_host, cli_port FROM stats_mysql_processlist')
    return rows.map(({ cli_host, cli_port }) => `${cli_host} ${cli_port}`)
  }

  it.each([1, 2] as const)(
    'version %i gives the client its address in the process list, with TLS and without',
    SLOW,
    async (version) => {
      for (const [host, tlsOptions] of [
        ['203.0.113.9', undefined],
        ['2001:db8::9', {}],
      ] as const) {
        const opening = encodeProxyHeader(version, client(host))
        const login = await loginByHand(proxy.port, { opening, ...(tlsOptions && { tlsOptions }) })
        expect(login.error).toBeNull()
        await until('the session in the process list', async () => (await places()).includes(`${host} 51234`))
        login.socket.destroy()
      }
    },
  )

  it('are not needed, and may name nobody', SLOW, async () => {
    for (const opening of [Buffer.alloc(0), encodeProxyHeader(1, null), encodeProxyHeader(2, null)]) {
      const login = await loginByHand(proxy.port, { opening })
      expect(login.error).toBeNull()
      const port = login.socket.localPort
      await until('the session in the process list', async () => (await places()).includes(`127.0.0.1 ${port}`))
      login.socket.destroy()
    }
  })

  it('say whose login is refused: in the error and in the log', SLOW, async () => {
    const opening = encodeProxyHeader(2, client('203.0.113.77'))
    const { error, socket } = await loginByHand(proxy.port, { opening, password: 'wrong' })
    socket.destroy()
    expect(error).toMatchObject({
      errno: 1045,
      message: "Access denied for user 'app'@'203.0.113.77' (using password: YES)",
    })
    expect(proxy.log().some((line) => line['client'] === '203.0.113.77')).toBe(true)
  })

  it('that are malformed end the connection with 1043, and a line in the log', SLOW, async () => {
    const error = await refusal(proxy.port, Buffer.from('PROXY TCP4 nobody 198.51.100.1 1 2\r\n'))
    expect(error).toMatchObject({ errno: 1043, message: expect.stringContaining('malformed PROXY protocol header') })
    await until('the log', () => proxy.log().some(({ msg }) => String(msg).includes('malformed PROXY protocol header')))
  })

  it('count towards the limit of the address that they name, over both workers', SLOW, async () => {
    await reload(proxy, { limits: { shutdown_timeout: 2000, max_connections_per_address: 3 } })
    const from = (host: string): Promise<HandLogin> =>
      loginByHand(proxy.port, { opening: encodeProxyHeader(1, client(host)) })
    const held: HandLogin[] = []
    const message = 'sluice: too many connections from 203.0.113.50 (max_connections_per_address: 3)'
    // News of what another worker has let in takes a moment.
    await until('the limit to be felt', async () => {
      const login = await from('203.0.113.50')
      if (login.error === null) held.push(login)
      else expect(login.error).toMatchObject({ errno: 1040, message })
      return login.error !== null
    })
    expect(held.length).toBeGreaterThanOrEqual(3)
    expect(held.length).toBeLessThanOrEqual(6)
    const other = await from('203.0.113.51')
    expect(other.error).toBeNull()
    await until('the refusals in the metrics', async () =>
      /code="too-many-connections-of-address"\} [1-9]/.test(await proxy.metrics()),
    )
    for (const { socket } of [...held, other]) socket.destroy()
    await until('room for another connection', async () => {
      const login = await from('203.0.113.50')
      login.socket.destroy()
      return login.error === null
    })
  })

  it('from elsewhere are refused with 1130, which names the setting', SLOW, async () => {
    await reload(proxy, { proxy_protocol_networks: ['192.0.2.0/24'], limits: { shutdown_timeout: 2000 } })
    const message = "sluice: Host '127.0.0.1' sent a PROXY protocol header and is not in proxy_protocol_networks"
    await until('the networks to be taken', async () => {
      const error = await refusal(proxy.port, encodeProxyHeader(2, client('203.0.113.9')))
      return error?.errno === 1130 && error.message === message
    })
  })
})

describe('PROXY protocol headers to MariaDB', () => {
  it.each(['v1', 'v2'] as const)(
    '%s shows the server where the client is; connections of nobody else are let in, too',
    SLOW,
    async (version) => {
      const cluster = await ownCluster('mariadb', {
        replicas: 0,
        serverOptions: ['--proxy-protocol-networks=127.0.0.1,localhost'],
      })
      const proxy = await startProxy(cluster, {
        proxy_protocol_networks: '127.0.0.1',
        servers: [serverConfig(cluster.primary, { proxy_protocol: version })],
        replication_hostgroups: [],
      })
      const hosts = async (user: string): Promise<unknown[]> => {
        const sql = 'SELECT host FROM information_schema.processlist WHERE user = ?'
        return (await cluster.execute<{ host: string }[]>(cluster.primary, sql, [user])).map(({ host }) => host)
      }
      const opening = encodeProxyHeader(1, client('203.0.113.9', 40_404))
      const login = await loginByHand(proxy.port, { opening, username: 'app', database: 'mysql' })
      // The schema of the login is asked for at a server.
      expect(login.error?.errno ?? 0).toBeOneOf([0, 1044])
      await until('the client in the process list of the server', async () => {
        const held = await loginByHand(proxy.port, { opening, database: 'information_schema' })
        const seen = await hosts('app')
        held.socket.destroy()
        return seen.includes('203.0.113.9:40404')
      })
      login.socket.destroy()
      expect((await hosts('monitor')).length).toBeGreaterThan(0)
      const local = await proxy.connect()
      expect((await local.query('SELECT 1 AS one'))[0]).toEqual([{ one: 1 }])
    },
  )
})
