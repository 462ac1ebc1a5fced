import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { Answer, Capability, Command, encodeCommand, Frame, Framer } from '../../../protocol/index.js'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES, payloads, RawClient } from '../../helpers/raw-client.js'
import { running, until } from './observe.js'

const SLOW = { timeout: 120_000 }
const MIB = 1 << 20
const READER_ID = 4_711

/** What reads events: their bodies behind the 0x00 that begins each packet. */
class BinlogReader {
  bytes = 0
  readonly #framer = new Framer(1 << 20)
  readonly #wanted: string
  found = false
  /** The bytes before, where the text is cut by the end of a chunk. */
  #tail = ''
  readonly client: RawClient

  constructor(client: RawClient, wanted: string) {
    this.client = client
    this.#wanted = wanted
    client.socket.removeAllListeners('data')
    client.socket.on('data', (chunk: Buffer) => this.#take(chunk))
  }

  #take(chunk: Buffer): void {
    this.bytes += chunk.length
    const text = this.#tail + chunk.toString('latin1')
    if (text.includes(this.#wanted)) this.found = true
    this.#tail = text.slice(-this.#wanted.length)
    this.#framer.push(Buffer.from(chunk))
    for (let kind = this.#framer.next(); kind !== Frame.more; kind = this.#framer.next()) {
      const { buffer, start } = this.#framer
      if (kind === Frame.packet && buffer[start] !== 0) throw new Error(`no event: ${buffer.toString('latin1', start)}`)
    }
  }
}

/** MySQL's encoding of a GTID set: the number of servers, each with its UUID and the intervals, whose ends are exclusive. */
function gtidSet(text: string): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    return bytes
  }
  const servers = text.split(',').map((one) => one.trim().split(':'))
  const parts = [number(servers.length)]
  for (const [uuid, ...intervals] of servers) {
    parts.push(Buffer.from(uuid.replaceAll('-', ''), 'hex'), number(intervals.length))
    for (const interval of intervals) {
      const [first, last = first] = interval.split('-').map(Number)
      parts.push(number(first), number(last + 1))
    }
  }
  return Buffer.concat(parts)
}

function ended(client: RawClient): Promise<unknown> {
  return client.socket.destroyed ? Promise.resolve() : once(client.socket, 'close')
}

describe.each<Engine>(['mysql', 'mariadb'])("readers of %s's binary log", (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string
  const account = `reader_${randomBytes(4).toString('hex')}`

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    const run = (sql: string): Promise<unknown> => cluster.execute(cluster.primary, sql)
    await run(`CREATE USER ${account} IDENTIFIED BY 'reads'`)
    await run(`GRANT REPLICATION SLAVE, REPLICATION CLIENT, SELECT ON *.* TO ${account}`)
    if (engine === 'mariadb') await run(`GRANT BINLOG MONITOR, REPLICATION MASTER ADMIN ON *.* TO ${account}`)
    await run(`CREATE TABLE ${database}.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster, { users: [{ name: account, password: 'reads' }] })
  })

  const raw = (capabilities = PLAIN_CAPABILITIES): Promise<RawClient> =>
    RawClient.connect({ port: proxy.port, username: account, password: 'reads', capabilities })

  /** The end of the primary's log. */
  async function position(): Promise<{ file: string; at: number }> {
    const sql = engine === 'mysql' ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS'
    const [row] = await cluster.execute(cluster.primary, sql)
    return { file: String(row['File']), at: Number(row['Position']) }
  }

  const dumpCommand = ({ file, at }: { file: string; at: number }, flags = 0): Buffer => {
    const head = Buffer.alloc(10)
    head.writeUInt32LE(at, 0)
    head.writeUInt16LE(flags, 4)
    head.writeUInt32LE(READER_ID, 6)
    return Buffer.concat([head, Buffer.from(file)])
  }

  const introduce = async (client: RawClient): Promise<void> => {
    const checksum = engine === 'mysql' ? '@source_binlog_checksum' : '@master_binlog_checksum'
    await client.query(`SET ${checksum} = @@global.binlog_checksum`)
    const register = Buffer.alloc(17)
    register.writeUInt32LE(READER_ID, 0)
    const answer = await client.command(Command.REGISTER_REPLICA, register)
    expect(answer[4], answer.toString('latin1')).toBe(0)
  }

  it('get what is written while they read, events over 16 MB included, and leave no thread behind', SLOW, async () => {
    const client = await raw()
    const from = await position()
    await introduce(client)
    const marker = `marker ${randomBytes(8).toString('hex')}`
    const reader = new BinlogReader(client, marker)
    client.tell(encodeCommand(Command.BINLOG_DUMP, dumpCommand(from)))
    await until('the log to be read', () => reader.bytes > 0)
    expect(await running(cluster, cluster.primary, '', account)).toBe(1)
    for (const replica of cluster.replicas) expect(await running(cluster, replica, '', account)).toBe(0)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t (b) VALUES (REPEAT('x', ${20 * MIB}))`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t (b) VALUES ('${marker}')`)
    await until('the last event', () => reader.found, 60_000)
    expect(reader.bytes).toBeGreaterThan(20 * MIB)
    client.socket.destroy()
    await until('no thread to be left', async () => (await running(cluster, cluster.primary, '', account)) === 0)
  })

  it.each([
    ['classic', PLAIN_CAPABILITIES],
    ['modern', PLAIN_CAPABILITIES | Capability.DEPRECATE_EOF],
  ])(
    'that want what there is and no more (%s EOF) get an end, and their connection ends as directly',
    async (_name, capabilities) => {
      const client = await raw(capabilities)
      await introduce(client)
      const events = payloads(await client.command(Command.BINLOG_DUMP, dumpCommand(await position(), 1), Answer.rows))
      expect(events.length).toBeGreaterThan(1)
      expect(events.slice(0, -1).every((event) => event[0] === 0)).toBe(true)
      expect(events.at(-1)![0]).toBe(0xfe)
      await ended(client)
    },
  )

  it.runIf(engine === 'mysql')('by GTID: what a reader has got already does not come again', async () => {
    const client = await raw()
    const [{ executed }] = await cluster.execute(cluster.primary, 'SELECT @@gtid_executed AS executed')
    const marker = `by gtid ${randomBytes(8).toString('hex')}`
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t (b) VALUES ('${marker}')`)
    await introduce(client)
    const known = gtidSet(String(executed))
    const command = Buffer.alloc(22 + known.length)
    command.writeUInt16LE(1, 0)
    command.writeUInt32LE(READER_ID, 2)
    // No name of a log (4 bytes of length), position 4 (8 bytes).
    command.writeUInt32LE(4, 10)
    command.writeUInt32LE(known.length, 18)
    known.copy(command, 22)
    const answer = await client.command(Command.BINLOG_DUMP_GTID, command, Answer.rows)
    expect(answer.includes(marker)).toBe(true)
    expect(answer.length).toBeLessThan(MIB)
    await ended(client)
  })

  it('are told of a log that does not exist in the words of the server', async () => {
    const client = await raw()
    await introduce(client)
    const dump = dumpCommand({ file: 'nothing.000001', at: 4 })
    const answer = await client.command(Command.BINLOG_DUMP, dump, Answer.rows)
    expect(answer.toString('latin1')).toMatch(/Could not find first log file name/)
    await ended(client)
  })

  it('that are slow are waited for, and get all', SLOW, async () => {
    const client = await raw()
    const from = await position()
    await introduce(client)
    const marker = `slow ${randomBytes(8).toString('hex')}`
    for (let i = 0; i < 4; i++)
      await cluster.execute(cluster.primary, `INSERT INTO ${database}.t (b) VALUES (REPEAT('y', ${8 * MIB}))`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t (b) VALUES ('${marker}')`)
    const reader = new BinlogReader(client, marker)
    client.socket.pause()
    client.tell(encodeCommand(Command.BINLOG_DUMP, dumpCommand(from)))
    // All that buffers take has been sent when the server is waiting to write, and nothing but the reader can go on.
    await until('the dump', async () => (await running(cluster, cluster.primary, '', account)) === 1)
    client.socket.resume()
    await until('the last event', () => reader.found, 60_000)
    expect(reader.bytes).toBeGreaterThan(32 * MIB)
    client.socket.destroy()
  })

  it("the server's own tool reads through Sluice what it reads directly", SLOW, async (context) => {
    const tool = toolOf(cluster)
    if (tool === undefined) return context.skip()
    const { file, at } = await position()
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t (b) VALUES ('for the tool')`)
    const to = await position()
    const range = [`--start-position=${at}`, `--stop-position=${to.at}`]
    const outputs: string[] = []
    for (const port of [cluster.primary.port, proxy.port]) {
      const login = ['--host=127.0.0.1', `--port=${port}`, `--user=${account}`, '--password=reads']
      const options = ['--no-defaults', '--read-from-remote-server', ...login, ...range, file]
      const run = await promisify(execFile)(tool[0], [...tool.slice(1), ...options], { maxBuffer: 1 << 30 })
      outputs.push(run.stdout)
    }
    expect(outputs[0]).toContain('BINLOG')
    expect(outputs[1] === outputs[0]).toBe(true)
  })
})

/** mysqlbinlog or mariadb-binlog, where it came with the server or is installed. */
function toolOf(cluster: Cluster): string[] | undefined {
  const client = cluster.binaries.client ?? ['']
  const name = cluster.engine === 'mysql' ? 'mysqlbinlog' : 'mariadb-binlog'
  const path = join(dirname(client.at(-1)!), name)
  if (existsSync(path)) return [...client.slice(0, -1), path]
  const folder = (process.env['PATH'] ?? '').split(':').find((one) => existsSync(join(one, name)))
  return folder === undefined ? undefined : [join(folder, name)]
}
