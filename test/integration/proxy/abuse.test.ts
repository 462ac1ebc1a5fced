import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AuthPlugin,
  Capability,
  Command,
  CompressedFrameWriter,
  encodeChangeUser,
  encodeCommand,
  encodeHandshakeResponse,
  encodeQuery,
  encodeSslRequest,
  encodeStmtExecute,
  FieldType,
  frame,
  sha2Hash,
  zlibCompressor,
} from '../../../protocol/index.js'
import type { Cluster } from '../../../src/sandbox/index.js'
import { Random } from '../../fuzz/random.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES, RawClient } from '../../helpers/raw-client.js'
import { metric, until } from './observe.js'

/*
 * Hostile clients against a running proxy, while a well-behaved one goes on working. SLUICE_FUZZ_SEED repeats what they do.
 */

const SEED = Number(process.env.SLUICE_FUZZ_SEED ?? Date.now() % 1_000_000)
const MIB = 1 << 20
const TIMEOUT_MS = 120_000
/** A worker keeps what it has once needed; this is more than one of these tests may leave behind. */
const GROWTH_BYTES_MAX = 96 * MIB
const HASHED = 'hashed'
const CAPABILITIES = PLAIN_CAPABILITIES | Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH

const ping = encodeCommand(Command.PING)
const quit = encodeCommand(Command.QUIT)

describe(`hostile clients (SLUICE_FUZZ_SEED=${SEED})`, () => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string
  /** An account that can do no harm. */
  let abuser: string
  let friend: WellBehaved
  let pids: number[]
  let residentBefore: number
  const sockets = new Set<Socket>()

  beforeAll(async () => {
    cluster = await sharedCluster('mysql')
    database = await createDatabase(cluster)
    abuser = `abuser_${randomBytes(4).toString('hex')}`
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY, a VARCHAR(100))`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1, 'one'), (2, 'two'), (3, 'three')`)
    await cluster.execute(cluster.primary, `CREATE USER ${abuser} IDENTIFIED BY 'abuse'`)
    await cluster.execute(cluster.primary, `GRANT SELECT, INSERT ON ${database}.* TO ${abuser}`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, {
      users: [
        { name: 'app', password: 'app' },
        { name: abuser, password: 'abuse' },
        { name: HASHED, password_hash: sha2Hash(Buffer.from('secret'), Buffer.alloc(20, 'salt')) },
      ],
      limits: { shutdown_timeout: 2000, max_failed_logins: 0, max_allowed_packet: 16 * MIB },
    })
    pids = proxy.workerPids()
    friend = new WellBehaved(await proxy.connect({ database }), SEED)
    // What a first session takes is no growth.
    await abuse(new Random(`${SEED} warm up`), 20)
    residentBefore = resident()
    friend.start()
  }, TIMEOUT_MS)

  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await friend?.stop()
    await cluster?.execute(cluster.primary, `DROP USER IF EXISTS ${abuser}`)
  })

  const resident = (): number =>
    pids.reduce(
      (sum, pid) => sum + 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]),
      0,
    )

  /** The worker lives, found no mistake of its own, holds nothing, and everybody else was served all the time. */
  async function expectUnharmed(): Promise<void> {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    await friend.expectServed()
    expect(proxy.workerPids()).toEqual(pids)
    expect(proxy.log().filter(({ level }) => Number(level) >= 50)).toEqual([])
    expect(await metric(proxy, 'sluice_invariant_errors_total')).toBe(0)
    // Idle ones are for whoever logs in as the abuser next.
    const nothingRuns = async (): Promise<boolean> => {
      for (const server of cluster.servers) {
        const [row] = await cluster.execute<{ n: number }[]>(
          server,
          "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = ? AND COMMAND <> 'Sleep'",
          [abuser],
        )
        if (Number(row.n) > 0) return false
      }
      return true
    }
    // A server finishes a write whose client has left, also one that waits for a lock (innodb_lock_wait_timeout: 50 s).
    await until('the servers to do nothing for the abuser any more', nothingRuns, 60_000)
    expect(resident() - residentBefore).toBeLessThan(GROWTH_BYTES_MAX)
  }

  async function dial(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: proxy.port, noDelay: true })
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
    await once(socket, 'connect')
    return socket
  }

  /** A session of the abuser; what it gets is thrown away from here on. */
  async function loggedIn(more = 0): Promise<Socket> {
    const client = await RawClient.connect({
      port: proxy.port,
      username: abuser,
      password: 'abuse',
      database,
      capabilities: PLAIN_CAPABILITIES | Capability.MULTI_STATEMENTS | more,
    })
    const { socket } = client
    sockets.add(socket)
    socket.removeAllListeners('data')
    socket.on('data', () => {})
    socket.once('close', () => sockets.delete(socket))
    return socket
  }

  /** A handshake response that is right but for its password. */
  const response = (username = abuser, capabilities = CAPABILITIES, authResponse = Buffer.alloc(0)): Buffer =>
    encodeHandshakeResponse({
      capabilities,
      mariadbCapabilities: 0,
      maxPacketSize: 1 << 24,
      collation: 45,
      username,
      authResponse,
      database,
      authPlugin: AuthPlugin.CACHING_SHA2,
      attributes: Buffer.from('\x01a\x01b'),
    })

  /** Runs so many conversations, some at once, each with a source of randomness of its own. */
  async function abuse(random: Random, conversations: number): Promise<void> {
    const one = async (n: number): Promise<void> => {
      const own = new Random(`${SEED} ${n} ${random.u32()}`)
      if (own.once(3)) await badLogin(own)
      else await badSession(own)
    }
    for (let n = 0; n < conversations; n += 4) await Promise.all([0, 1, 2, 3].map((i) => one(n + i)))
  }

  async function badLogin(random: Random): Promise<void> {
    const socket = await dial()
    const good = frame(response(random.pick([abuser, 'nobody', 'root', 'constructor', '__proto__', ''])), 1)
    const packets = random.once(3) ? [good] : [random.mutate(good)]
    if (random.once(3)) packets.push(random.mutate(frame(random.noise(random.pick([1, 20, 32, 256])), 3)))
    await leave(random, socket, Buffer.concat(packets))
  }

  async function badSession(random: Random): Promise<void> {
    const socket = await loggedIn(random.once(4) ? Capability.QUERY_ATTRIBUTES : 0)
    const commands = Array.from({ length: 1 + random.below(12) }, () => anyCommand(random))
    await leave(random, socket, Buffer.concat(commands))
  }

  /** Sends bytes, cut anywhere, and leaves at some point: in the middle, at once after the end, or when told to. */
  async function leave(random: Random, socket: Socket, bytes: Buffer): Promise<void> {
    const sent = random.once(4) ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes
    const cut = random.below(sent.length + 1)
    const closed = closing(socket)
    socket.write(sent.subarray(0, cut))
    if (random.once(2)) await new Promise((resolve) => setImmediate(resolve))
    socket.write(sent.subarray(cut))
    socket.resume()
    if (random.once(4)) socket.destroy()
    else if (random.once(3)) socket.end()
    else socket.end(quit)
    // A packet that claims to be longer than what came is waited for, for ever.
    const limit = setTimeout(() => socket.destroy(), 300)
    await closed.finally(() => clearTimeout(limit))
  }

  /** A command of any kind, most of the time changed somewhere, its header most of the time right. */
  function anyCommand(random: Random): Buffer {
    const whole = random.pick(commands)(random)
    if (random.once(4)) return whole
    const payload = random.mutate(whole.subarray(4))
    // Texts that were changed are still texts of an account that may only read and insert.
    const packet = frame(payload, random.once(20) ? random.below(256) : 0)
    if (random.once(30)) packet.writeUIntLE(random.below(0xffffff), 0, 3)
    return packet
  }

  const commands: readonly ((random: Random) => Buffer)[] = [
    () => encodeQuery('SELECT * FROM t', 0),
    () => encodeQuery('SELECT 1; SELECT 2; SELECT a FROM t WHERE id = 3', 0),
    (random) => encodeQuery(`INSERT INTO t VALUES (${random.u32() & 0x7fffffff}, 'x')`, 0),
    () => encodeQuery('BEGIN', 0),
    () => encodeQuery("SET @a = 1, NAMES utf8mb4, sql_mode = ''", 0),
    () => encodeQuery("PREPARE s FROM 'SELECT ?'", 0),
    () => encodeQuery(`LOAD DATA LOCAL INFILE 'x' INTO TABLE t`, 0),
    (random) => encodeQuery(random.noise(40), 0),
    () => encodeCommand(Command.STMT_PREPARE, Buffer.from('SELECT ?, a FROM t WHERE id > ?')),
    (random) => encodeCommand(Command.STMT_EXECUTE, execution(random)),
    (random) => encodeCommand(Command.STMT_SEND_LONG_DATA, Buffer.from([statementId(random), 0, 0, 0, 0, 0, 65, 66])),
    (random) => encodeCommand(Command.STMT_RESET, Buffer.from([statementId(random), 0, 0, 0])),
    (random) => encodeCommand(Command.STMT_CLOSE, Buffer.from([statementId(random), 0, 0, 0])),
    (random) => encodeCommand(Command.STMT_FETCH, Buffer.from([statementId(random), 0, 0, 0, 1, 0, 0, 0])),
    (random) => encodeCommand(Command.STMT_BULK_EXECUTE, random.noise(20)),
    () => encodeCommand(Command.INIT_DB, Buffer.from(database)),
    () => encodeCommand(Command.FIELD_LIST, Buffer.from('t\0%')),
    () => encodeCommand(Command.STATISTICS),
    () => encodeCommand(Command.PROCESS_INFO),
    (random) => encodeCommand(Command.PROCESS_KILL, random.noise(4)),
    () => encodeCommand(Command.SET_OPTION, Buffer.from([0, 0])),
    () => encodeCommand(Command.DEBUG),
    () => encodeCommand(Command.RESET_CONNECTION),
    () => ping,
    (random) => encodeCommand(Command.REGISTER_REPLICA, random.noise(18)),
    (random) => encodeCommand(Command.BINLOG_DUMP, random.noise(12)),
    (random) => frame(changeUser(random), 0),
    // Numbers of commands that are none, or that servers have no more.
    (random) => encodeCommand(random.pick([0, 5, 6, 8, 11, 15, 16, 19, 20, 29, 33, 77, 254, 255]), random.noise(5)),
  ]

  const statementId = (random: Random): number => random.below(4)

  function execution(random: Random): Buffer {
    const parameters = [
      { type: FieldType.LONG, unsigned: false, value: 7 },
      { type: FieldType.VAR_STRING, unsigned: false, value: Buffer.from('1') },
    ]
    return encodeStmtExecute(statementId(random), parameters, 0, random.below(3)).subarray(1)
  }

  function changeUser(random: Random): Buffer {
    const authPlugin = random.pick([AuthPlugin.NATIVE, AuthPlugin.CACHING_SHA2, ''])
    const username = random.pick([abuser, 'nobody'])
    return encodeChangeUser(
      { username, authResponse: random.noise(20), collation: 45, authPlugin, database },
      CAPABILITIES,
    )
  }

  it(
    'that send anything at all harm nobody',
    async () => {
      await abuse(new Random(`${SEED} anything`), 160)
      await expectUnharmed()
    },
    TIMEOUT_MS,
  )

  it(
    'that name a prepared statement in a packet too short for it are told so',
    async () => {
      const socket = await loggedIn()
      const answers: Buffer[] = []
      socket.removeAllListeners('data').on('data', (chunk: Buffer) => answers.push(chunk))
      const prepare = encodeCommand(Command.STMT_PREPARE, Buffer.from('SELECT 1'))
      // COM_STMT_EXECUTE, _FETCH and _RESET without an id, each followed by a COM_PING whose length could be taken for one.
      const short = Buffer.from('0100000017010000000e010000001c010000000e010000001a010000000e', 'hex')
      socket.write(Buffer.concat([prepare, short]))
      const oks = () => Buffer.concat(answers).toString('hex').split('07000001000000').length - 1
      await until('the answers to the pings', () => oks() === 3)
      expect(Buffer.concat(answers).toString('latin1').split('Unknown prepared statement handler').length - 1).toBe(3)
      await expectUnharmed()
    },
    TIMEOUT_MS,
  )

  it(
    'that claim 16 MB and never send it, or send half of a packet, take no memory',
    async () => {
      const before = resident()
      const claims = await Promise.all(
        Array.from({ length: 60 }, async (_, n) => {
          const socket = n % 2 === 0 ? await loggedIn() : await dial()
          socket.write(Buffer.from([0xfe, 0xff, 0xff, n % 2, 3, 0x53, 0x45]))
          return socket
        }),
      )
      expect(resident() - before).toBeLessThan(32 * MIB)
      for (const socket of claims) socket.destroy()
      await expectUnharmed()
    },
    TIMEOUT_MS,
  )

  it(
    'that send tens of thousands of commands ahead keep nobody waiting, and get all answers',
    async () => {
      const socket = await loggedIn()
      const count = 40_000
      let got = 0
      socket.removeAllListeners('data').on('data', (chunk: Buffer) => {
        got += chunk.length
      })
      const close = encodeCommand(Command.STMT_CLOSE, Buffer.from([9, 9, 0, 0]))
      socket.write(Buffer.concat(Array.from({ length: count }, (_, n) => (n % 2 === 0 ? ping : close))))
      // OK packets of 11 bytes.
      await until('the answers to all pings', () => got === (11 * count) / 2)
      await expectUnharmed()
    },
    TIMEOUT_MS,
  )

  it(
    'that ask and never read are not answered without end',
    async () => {
      const socket = await loggedIn()
      socket.removeAllListeners('data').pause()
      const before = resident()
      // Their answers are 44 MB, and several times as much in memory.
      const pings = Buffer.concat(Array.from({ length: 50_000 }, () => ping))
      for (let i = 0; i < 80; i++) socket.write(pings)
      // The proxy stops reading: what is sent stays where it is.
      let last = -1
      await until('the proxy to read no more', async () => {
        await friend.rounds(3)
        const { writableLength } = socket
        const settled = writableLength === last && writableLength > 0
        last = writableLength
        return settled
      })
      expect(resident() - before).toBeLessThan(32 * MIB)
      await expectUnharmed()
    },
    TIMEOUT_MS,
  )

  it(
    'that send much before their login is over are cut off',
    async () => {
      const socket = await dial()
      const closed = closing(socket)
      // COM_QUIT with a number that is no login, behind a response that a server has to judge.
      socket.write(frame(response('nobody', CAPABILITIES, randomBytes(32)), 1))
      const junk = Buffer.alloc(MIB, quit)
      for (let i = 0; i < 8; i++) socket.write(junk)
      socket.resume()
      await closed
      await expectUnharmed()
    },
    TIMEOUT_MS,
  )

  it(
    'that send a password of 128 KB are refused at once',
    async () => {
      const plain = await dial()
      const [greeting] = (await once(plain, 'data')) as [Buffer]
      expect(greeting[4]).toBe(10)
      const options = { capabilities: CAPABILITIES | Capability.SSL, mariadbCapabilities: 0, maxPacketSize: 1 << 24 }
      plain.write(frame(encodeSslRequest({ ...options, collation: 45 }), 1))
      plain.removeAllListeners('data')
      const socket = tlsConnect({ socket: plain, rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      socket.write(frame(response(HASHED, options.capabilities, Buffer.alloc(32, 7)), 2))
      // 0x01 0x04: the password itself is asked for.
      const [question] = (await once(socket, 'data')) as [Buffer]
      expect(question.toString('hex')).toBe('0200000301' + '04')
      const started = performance.now()
      socket.write(frame(Buffer.concat([Buffer.alloc(131_000, 'x'), Buffer.alloc(1)]), 4))
      const [refusal] = (await once(socket, 'data')) as [Buffer]
      expect(refusal.readUInt16LE(5)).toBe(1045)
      expect(performance.now() - started).toBeLessThan(2000)
      await expectUnharmed()
    },
    TIMEOUT_MS,
  )

  it(
    'that send commands of megabytes which are none are answered once',
    async () => {
      for (const code of [Command.PROCESS_KILL, Command.CHANGE_USER, Command.PING, 77]) {
        const socket = await loggedIn()
        const answers: Buffer[] = []
        socket.removeAllListeners('data').on('data', (chunk: Buffer) => answers.push(chunk))
        // Filled with what would be commands, were the rest taken for some.
        const rest = Buffer.alloc(3 * MIB, ping)
        socket.write(Buffer.concat([encodeCommand(code, rest), encodeQuery("SELECT 'the end'", 0)]))
        await until('the answer to the query behind it', () => Buffer.concat(answers).includes('the end'))
        const all = Buffer.concat(answers)
        // One packet answers the command: the next one begins anew.
        expect(all[3]).toBe(1)
        expect(all[4 + all.readUIntLE(0, 3) + 3]).toBe(1)
        expect(all.length).toBeLessThan(400)
        socket.destroy()
      }
      await expectUnharmed()
    },
    TIMEOUT_MS,
  )

  it(
    'that lie about what they have compressed lose their connection, and nobody else does',
    async () => {
      const random = new Random(`${SEED} compression`)
      const bomb = zlibCompressor.compress(Buffer.alloc(16 * MIB, ping), 9)
      const lies = [
        compressed(bomb, 0xffffff),
        compressed(bomb, 10),
        compressed(Buffer.from('not compressed'), 100),
        compressed(Buffer.alloc(0), 100),
        Buffer.from('ffffff00ffffff', 'hex'),
        ...Array.from({ length: 20 }, () =>
          random.mutate(
            new CompressedFrameWriter(zlibCompressor).encode(Buffer.concat([ping, encodeQuery('SELECT 1', 0)])),
          ),
        ),
      ]
      for (const lie of lies) {
        const socket = await loggedIn(Capability.COMPRESS)
        await leave(random, socket, lie)
      }
      await expectUnharmed()
    },
    TIMEOUT_MS,
  )
})

/** The end of a connection, by an error or without. */
function closing(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve))
}

/** One frame of the compressed protocol. */
function compressed(bytes: Uint8Array, size: number): Buffer {
  const header = Buffer.alloc(7)
  header.writeUIntLE(bytes.length, 0, 3)
  header.writeUIntLE(size, 4, 3)
  return Buffer.concat([header, bytes])
}

/** A client that asks what it knows the answers of, all the time. */
class WellBehaved {
  readonly #connection: Connection
  readonly #random: Random
  #stopped = false
  #running: Promise<void> | null = null
  #failure: unknown = null
  #asked = 0
  #slowestMs = 0

  constructor(connection: Connection, seed: number) {
    this.#connection = connection
    this.#random = new Random(`${seed} friend`)
  }

  start(): void {
    this.#running = this.#run().catch((error: unknown) => {
      this.#failure = error
    })
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const n = this.#random.u32()
      const sql = this.#random.once(2) ? 'SELECT ? AS n' : '/* sluice:primary */ SELECT ? AS n'
      const started = performance.now()
      const answer = this.#random.once(2)
        ? this.#connection.query<RowDataPacket[]>(sql, [n])
        : this.#connection.execute<RowDataPacket[]>(sql, [n])
      const [[row]] = await answer
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - started)
      if (Number(row['n']) !== n) throw new Error(`${n} was answered with ${row['n']}`)
      this.#asked++
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Waits until it has asked so many times more. */
  async rounds(count: number): Promise<void> {
    const goal = this.#asked + count
    await until('the well-behaved client to be served', () => this.#asked >= goal || this.#failure !== null)
  }

  /** It has got right answers all the time, and still gets them. */
  async expectServed(): Promise<void> {
    await this.rounds(3)
    expect(this.#failure).toBeNull()
    expect(this.#slowestMs).toBeLessThan(SLOWEST_MS_MAX)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }
}

/** Far more than anything takes, also where many tests run at once. */
const SLOWEST_MS_MAX = 5_000
