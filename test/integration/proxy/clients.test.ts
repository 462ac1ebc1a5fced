import { readFileSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { createConnection } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  Capability,
  Command,
  decodeErr,
  decodeGreeting,
  encodeCommand,
  encodeHandshakeResponse,
  encodeQuery,
  encodeSslRequest,
  frame,
  nativeResponse,
} from '../../../protocol/index.js'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { payloads, RawClient } from '../../helpers/raw-client.js'
import { admin, metric, running, until, value, whereRuns, withEvents } from './observe.js'

const SLOW = { timeout: 60_000 }
const LIMITS = { max_connections: 6, wait_timeout: 700, connect_timeout_client: 700, max_allowed_packet: 4096 }

/** A connection that speaks no protocol: keeps what it is sent. */
class Stranger {
  readonly socket: Socket
  readonly closed: Promise<void>
  #bytes = Buffer.alloc(0)

  constructor(port: number) {
    this.socket = connectSocket(port, '127.0.0.1')
    this.socket.on('data', (chunk) => (this.#bytes = Buffer.concat([this.#bytes, chunk])))
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()))
  }

  get packets(): Buffer[] {
    return payloads(this.#bytes)
  }

  async greeted(): Promise<this> {
    await until('a greeting', () => this.#bytes.length > 4)
    return this
  }

  /** The ERR that it was sent last, or null. */
  get error() {
    const last = this.packets.at(-1)
    return last?.[0] === 0xff ? decodeErr(last) : null
  }
}

/** A whole login as `app` with mysql_native_password, in the answer to a greeting. */
function loginPacket(greeting: Buffer, schema: string): Buffer {
  const { PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, CONNECT_WITH_DB, LONG_PASSWORD } = Capability
  const capabilities =
    PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | LONG_PASSWORD | (schema === '' ? 0 : CONNECT_WITH_DB)
  const response = encodeHandshakeResponse({
    capabilities,
    mariadbCapabilities: 0,
    maxPacketSize: 1 << 24,
    collation: 45,
    username: 'app',
    authResponse: nativeResponse('app', decodeGreeting(greeting).scramble),
    authPlugin: 'mysql_native_password',
    database: schema,
  })
  return frame(response, 1)
}

/** Resident memory of a process in MiB. */
function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

function errorOf(answer: Buffer) {
  const [payload] = payloads(answer)
  expect(payload[0]).toBe(0xff)
  return decodeErr(payload)
}

describe.each<Engine>(['mysql', 'mariadb'])('clients of %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  /** Its limits are reached soon. */
  let strict: RunningProxy
  let database: string
  /** Whose connections nobody else's test opens or closes. */
  let account: string

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    account = database
    await cluster.execute(cluster.primary, `CREATE USER ${account}@'%' IDENTIFIED BY 'own'`)
    await cluster.execute(cluster.primary, `GRANT ALL ON ${database}.* TO ${account}@'%'`)
    await cluster.waitForReplicas()
    const { user: name, password } = cluster.accounts.app
    const users = [
      { name, password },
      { name: account, password: 'own' },
    ]
    ;[proxy, strict] = await Promise.all([
      startProxy(cluster, { users }),
      startProxy(cluster, { limits: LIMITS, users: [{ name, password, max_connections: 2 }] }),
    ])
  })

  const raw = (more: object = {}) => RawClient.connect({ port: proxy.port, ...more })
  const connections = (of = proxy) => metric(of, 'sluice_client_connections')
  const everybodyGone = (of: RunningProxy) => until('all clients to be gone', async () => (await connections(of)) === 0)
  const warnings = () => proxy.log().filter((line) => String(line['msg']).includes('broke the protocol')).length
  /** Server connections that some session uses at the moment. */
  const inUse = async () => {
    const [{ n }] = await admin(proxy, 'SELECT SUM(ConnUsed) AS n FROM stats_mysql_connection_pool')
    return Number(n)
  }

  describe('a client that leaves', () => {
    it('its statement is ended on the server', SLOW, async () => {
      for (const hint of ['replica', 'primary']) {
        const mark = `leaves_${hint}_${engine}`
        const client = await raw()
        client.query(`SELECT /* sluice: ${hint} */ /* ${mark} */ SLEEP(30)`).catch(() => {})
        const server = await whereRuns(cluster, mark)
        client.socket.destroy()
        await until('the statement to end', async () => (await running(cluster, server, mark)) === 0, 5_000)
      }
      await until('both to be counted', async () => (await metric(proxy, 'sluice_queries_killed_total')) >= 2)
    })

    it('a write of its own that runs is finished, as by the server', async () => {
      const client = await raw()
      await client.query(`CREATE TABLE ${database}.finished (id INT)`)
      const mark = `finished_${engine}`
      client.query(`INSERT INTO ${database}.finished SELECT /* ${mark} */ 1 + SLEEP(1)`).catch(() => {})
      await whereRuns(cluster, mark)
      client.socket.destroy()
      const other = await proxy.connect()
      await until('the row to be there', async () => {
        const [rows] = await other.query(`SELECT /* sluice: primary */ id FROM ${database}.finished`)
        return (rows as unknown[]).length === 1
      })
    })

    it('its transaction is rolled back', async () => {
      const client = await raw()
      await client.query(`CREATE TABLE ${database}.gone (id INT PRIMARY KEY)`)
      await client.query('BEGIN')
      await client.query(`INSERT INTO ${database}.gone VALUES (1)`)
      client.socket.destroy()
      const other = await proxy.connect()
      // Waits for the row's lock as long as the transaction is open.
      await other.query(`INSERT INTO ${database}.gone VALUES (1)`)
    })

    it('while its connections are being opened, these are for others', SLOW, async () => {
      const before = await inUse()
      for (let round = 0; round < 30; round++) {
        const client = await raw({ username: account, password: 'own' })
        client.tell(encodeQuery('SELECT 1', client.capabilities))
        setImmediate(() => client.socket.destroy())
      }
      await until('no connection to be used', async () => (await inUse()) <= before)
    })

    it('storms of connections leave nothing behind', SLOW, async () => {
      const before = await inUse()
      const startedAt = await metric(proxy, 'sluice_client_connections_total')
      for (let round = 0; round < 5; round++) {
        const clients = await Promise.all(
          Array.from({ length: 20 }, () =>
            createConnection({ host: '127.0.0.1', port: proxy.port, user: account, password: 'own', database }),
          ),
        )
        for (const client of clients) client.on('error', () => {})
        await Promise.all(clients.map((client) => client.query('SELECT 1')))
        clients.forEach((client, index) => {
          if (index % 2 === 0) client.destroy()
          else void client.end()
        })
      }
      await until('no connection to be used', async () => (await inUse()) <= before)
      await until('all to be counted', async () => {
        return (await metric(proxy, 'sluice_client_connections_total')) >= startedAt + 100
      })
    })
  })

  describe('a client that is odd but right', () => {
    it('that sends 100 commands in one segment gets 100 answers in their order', async () => {
      const client = await raw()
      const commands = Array.from({ length: 100 }, (_, n) =>
        n % 10 === 3
          ? encodeCommand(Command.PING)
          : encodeQuery(n % 10 === 7 ? `SELECT x${n}` : `SELECT 'answer ${n}'`, client.capabilities),
      )
      const answers = await client.pipeline(commands)
      answers.forEach((answer, n) => {
        if (n % 10 === 3) expect(payloads(answer)[0][0]).toBe(0)
        else if (n % 10 === 7) expect(errorOf(answer).message).toContain(`x${n}`)
        else expect(answer.toString('latin1')).toContain(`answer ${n}`)
      })
      await client.close()
    })

    it('that sends a command with its login gets the answers in that order, when its schema is looked up too', async () => {
      for (const schema of ['', database]) {
        const client = new Stranger(proxy.port)
        await client.greeted()
        client.socket.write(Buffer.concat([loginPacket(client.packets[0], schema), encodeQuery("SELECT 'ahead'", 0)]))
        await until('both answers', () => client.packets.some((packet) => packet.toString('latin1').includes('ahead')))
        const [, ...answers] = client.packets
        expect(answers[0][0]).toBe(0)
        client.socket.destroy()
      }
    })

    it('that sends its bytes one by one is understood', async () => {
      const client = await raw()
      const packet = encodeQuery("SELECT 'one by one'", client.capabilities)
      const answer = client.send(packet.subarray(0, 1))
      for (const byte of packet.subarray(1)) {
        await new Promise((resolve) => setImmediate(resolve))
        client.tell(Buffer.of(byte))
      }
      expect((await answer).toString('latin1')).toContain('one by one')
      await client.close()
    })

    it('that reads slowly holds its server up, not the memory, and no other client', SLOW, async () => {
      const [pid] = proxy.workerPids()
      const before = residentMb(pid)
      const slow = await proxy.connect()
      const other = await proxy.connect()
      const mark = `slow_${engine}`
      const query = withEvents(slow).query(
        `WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900)
         SELECT /* ${mark} */ i, REPEAT('x', 200000) AS x FROM n`,
      )
      let rows = 0
      const ended = new Promise((resolve, reject) => query.on('end', resolve).on('error', reject))
      query.on('result', () => rows++)
      await until('the first row', () => rows > 0)
      const socket = (withEvents(slow) as unknown as { stream: Socket }).stream
      socket.pause()
      await until('the server to wait', async () => (await whereRuns(cluster, mark)) !== null)
      for (let i = 0; i < 50; i++) expect(await value(other, 'SELECT 42')).toBe(42)
      expect(rows).toBeLessThan(900)
      expect(residentMb(pid) - before).toBeLessThan(64)
      socket.resume()
      await ended
      expect(rows).toBe(900)
      expect(residentMb(pid) - before).toBeLessThan(64)
    })

    it('500 of them at once are all served', SLOW, async () => {
      const clients = await Promise.all(Array.from({ length: 500 }, () => raw()))
      const answers = await Promise.all(
        clients.slice(0, 100).map((client, n) => client.query(`SELECT 'client ${n}' /* sluice: replica */`)),
      )
      answers.forEach((answer, n) => {
        expect(answer.toString('latin1')).toContain(`client ${n}`)
      })
      await until('all to be counted', async () => (await connections()) >= 500)
      await Promise.all(clients.map((client) => client.close()))
    })
  })

  describe('what is no client', () => {
    const lengths = (announced: number, sequence: number, rest: Buffer) => {
      const header = Buffer.alloc(4)
      header.writeUIntLE(announced, 0, 3)
      header[3] = sequence
      return Buffer.concat([header, rest])
    }
    const sslRequest = () =>
      frame(
        encodeSslRequest({
          capabilities: Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION,
          mariadbCapabilities: 0,
          maxPacketSize: 1 << 24,
          collation: 45,
        }),
        1,
      )

    it.each<[string, () => Buffer]>([
      ['an HTTP request', () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
      ['zeros', () => Buffer.alloc(1000)],
      ['ones', () => Buffer.alloc(200_000, 0xff)],
      ['a response of one byte', () => frame(Buffer.of(7), 1)],
      ['a response of random bytes', () => frame(Buffer.from('4fa93b00ff01deadbeef00', 'hex'), 1)],
      ['the right length but the wrong number', () => frame(Buffer.alloc(40, 1), 9)],
      ['garbage where TLS begins', () => Buffer.concat([sslRequest(), Buffer.alloc(300, 0x41)])],
    ])('%s instead of a login is answered or shut out', async (_name, bytes) => {
      const stranger = await new Stranger(strict.port).greeted()
      stranger.socket.write(bytes())
      await stranger.closed
      if (stranger.error !== null) expect([1043, 1045, 1156, 1251, 1835]).toContain(stranger.error.errno)
    })

    it('broken responses get an ERR', async () => {
      for (const bytes of [frame(Buffer.of(7), 1), frame(Buffer.alloc(40, 1), 9)]) {
        const stranger = await new Stranger(proxy.port).greeted()
        stranger.socket.write(bytes)
        await stranger.closed
        expect(stranger.error).not.toBeNull()
      }
    })

    it('who only knocks, or leaves in the middle of a packet, leaves nothing behind', async () => {
      await Promise.all(
        Array.from({ length: 50 }, async (_, n) => {
          const stranger = new Stranger(proxy.port)
          if (n % 2 === 0) await stranger.greeted()
          if (n % 3 === 0) stranger.socket.write(lengths(100, 1, Buffer.alloc(50)))
          if (n % 5 === 0) stranger.socket.write(sslRequest())
          if (n % 7 === 0) stranger.socket.resetAndDestroy()
          else stranger.socket.end()
          await stranger.closed
        }),
      )
      const client = await proxy.connect()
      expect(await value(client, 'SELECT 42')).toBe(42)
    })

    it('what is only announced takes no memory', SLOW, async () => {
      const [pid] = proxy.workerPids()
      const before = residentMb(pid)
      const strangers = await Promise.all(
        Array.from({ length: 100 }, async (_, n) => {
          const client = n % 2 === 0 ? (await raw()).socket : (await new Stranger(proxy.port).greeted()).socket
          client.on('error', () => {})
          client.write(lengths(0xffffff, n % 2, Buffer.of(Command.QUERY)))
          return client
        }),
      )
      const client = await proxy.connect()
      for (let i = 0; i < 20; i++) expect(await value(client, 'SELECT 42')).toBe(42)
      // 100 times 16 MiB were announced.
      expect(residentMb(pid) - before).toBeLessThan(40)
      for (const socket of strangers) socket.destroy()
    })

    it.each<[string, Buffer, number]>([
      ['a wrong sequence number', frame(Buffer.from('\x03SELECT 1'), 5), 1156],
      ['a command of no bytes', frame(Buffer.alloc(0), 0), 1835],
    ])('%s after the login: an ERR, one line in the log, and the end', async (_name, bytes, errno) => {
      const before = warnings()
      const client = await raw()
      expect(errorOf(await client.send(bytes)).errno).toBe(errno)
      await expect(client.query('SELECT 1')).rejects.toThrow()
      await until('the line in the log', () => warnings() === before + 1)
    })

    it.each<[string, Buffer, number]>([
      ['an unknown command', encodeCommand(0x99), 1047],
      [
        'a statement that was never prepared',
        encodeCommand(Command.STMT_EXECUTE, Buffer.from([9, 0, 0, 0, 0, 1, 0, 0, 0])),
        1243,
      ],
      ['a long unknown command', encodeCommand(0x99, Buffer.alloc(3 << 20, 0x0e)), 1047],
      [
        'a long execution of what was never prepared',
        encodeCommand(Command.STMT_EXECUTE, Buffer.alloc(3 << 20, 0x0e)),
        1243,
      ],
    ])(
      '%s: an ERR, nothing of it is taken for another command, and the session goes on',
      async (_name, bytes, errno) => {
        const client = await raw()
        expect(errorOf(await client.send(bytes)).errno).toBe(errno)
        expect((await client.query("SELECT 'goes on'")).toString('latin1')).toContain('goes on')
        await client.close()
      },
    )

    it('statements of no text or of broken bytes get the answer of a server', async () => {
      const client = await raw()
      expect(errorOf(await client.query('')).errno).toBe(1065)
      expect(errorOf(await client.query(Buffer.from([0, 255, 254, 0, 39, 34, 96]))).errno).toBe(1064)
      await client.close()
    })

    it('none of it counts as a mistake of ours', async () => {
      for (const of of [proxy, strict]) expect(await metric(of, 'sluice_invariant_errors_total')).toBe(0)
      expect(proxy.log().filter((line) => Number(line['level']) >= 50)).toEqual([])
    })
  })

  describe('limits', () => {
    it('who does not log in in time is sent away', async () => {
      await everybodyGone(strict)
      const stranger = await new Stranger(strict.port).greeted()
      const startedAt = performance.now()
      await stranger.closed
      expect(performance.now() - startedAt).toBeLessThan(5_000)
    })

    it('who is idle for wait_timeout is told so and sent away, even without a transaction being open', async () => {
      await everybodyGone(strict)
      const client = await RawClient.connect({ port: strict.port })
      const told: Buffer[] = []
      client.socket.removeAllListeners('data').on('data', (chunk) => told.push(chunk))
      await new Promise((resolve) => client.socket.once('close', resolve))
      // MariaDB closes without a word.
      if (engine === 'mysql') expect(errorOf(Buffer.concat(told)).errno).toBe(4031)
      else expect(told).toEqual([])
    })

    it('who sets wait_timeout is sent away after that time of its own, also in a transaction', async () => {
      for (const transaction of [false, true]) {
        const client = await raw()
        await client.query('SET SESSION wait_timeout = 1')
        if (transaction) await client.query('BEGIN')
        const told: Buffer[] = []
        client.socket.removeAllListeners('data').on('data', (chunk) => told.push(chunk))
        await new Promise((resolve) => client.socket.once('close', resolve))
        if (engine === 'mysql') expect(errorOf(Buffer.concat(told)).errno).toBe(4031)
        else expect(told).toEqual([])
      }
    })

    it('max_connections: 1040 before any greeting, and room again when one leaves', SLOW, async () => {
      await everybodyGone(strict)
      const strangers = Array.from({ length: LIMITS.max_connections }, () => new Stranger(strict.port))
      await Promise.all(strangers.map((stranger) => stranger.greeted()))
      const refused = new Stranger(strict.port)
      await refused.closed
      expect(refused.error).toMatchObject({ errno: 1040, message: 'Too many connections' })
      for (const stranger of strangers) stranger.socket.destroy()
      await everybodyGone(strict)
      await (await RawClient.connect({ port: strict.port })).close()
    })

    it("a user's own max_connections: 1226", SLOW, async () => {
      await everybodyGone(strict)
      const clients = [await RawClient.connect({ port: strict.port }), await RawClient.connect({ port: strict.port })]
      await expect(RawClient.connect({ port: strict.port })).rejects.toThrow(/^1226 User 'app' has exceeded/)
      await Promise.all(clients.map((client) => client.close()))
      await everybodyGone(strict)
      await (await RawClient.connect({ port: strict.port })).close()
    })

    it('max_allowed_packet: 1153, and the end of the connection', async () => {
      await everybodyGone(strict)
      const client = await RawClient.connect({ port: strict.port })
      const fits = LIMITS.max_allowed_packet - 1 - "SELECT ''".length
      expect((await client.query(`SELECT '${'x'.repeat(fits)}'`)).length).toBeGreaterThan(fits)
      const { errno } = errorOf(await client.query(`SELECT '${'x'.repeat(fits + 1)}'`))
      expect(errno).toBe(1153)
      await expect(client.query('SELECT 1')).rejects.toThrow()
    })
  })
})
