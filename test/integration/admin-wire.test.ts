import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  AuthPlugin,
  Capability,
  Command,
  CursorType,
  decodeColumnDefinition,
  decodeErr,
  decodePrepareOk,
  decodeTextRow,
  encodeChangeUser,
  encodeCommand,
  encodeQuery,
  encodeStmtExecute,
  encryptPassword,
  FieldType,
  Frame,
  Framer,
  frame,
  isErrPacket,
  nativeResponse,
  ResultSetDecoder,
  ServerStatus,
  sha2Response,
} from '../../protocol/index.js'
import { startAdmin } from '../../src/control/admin/server.js'
import type { RunningService } from '../../src/control/view.js'
import { compileEngineThread } from '../unit/control/admin/engine-thread.js'
import { fixtureView } from '../unit/control/admin/fixture.js'
import { rawSession } from '../wire/raw-session.js'

const thread = compileEngineThread()
const sockets: Socket[] = []
let service: RunningService

beforeAll(async () => {
  service = await startAdmin(fixtureView(), pino({ level: 'silent' }), {
    engineThread: thread.url,
    statementDeadlineMs: 25_000,
  })
})
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})
afterAll(async () => {
  await service.close()
  thread.remove()
})

const { PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH, DEPRECATE_EOF, CONNECT_WITH_DB } = Capability
const BASE = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH

/** A logged-in connection whose packets are asked for one by one; null: the server closed it. */
async function open(extra = 0, user = 'admin', password = 'admin', database?: string) {
  const port = Number(service.address.split(':').at(-1))
  const { socket, login } = await rawSession(
    { port, host: '127.0.0.1' },
    { username: user, password, capabilities: BASE | extra, database },
  )
  sockets.push(socket)
  const framer = new Framer()
  const packets: { payload: Buffer; sequence: number }[] = []
  let wake: (() => void) | undefined
  let closed = false
  socket.removeAllListeners('error')
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    framer.push(chunk)
    while (framer.next() === Frame.packet) {
      const payload = Buffer.from(framer.buffer.subarray(framer.start, framer.end))
      packets.push({ payload, sequence: framer.sequence })
    }
    wake?.()
  })
  socket.on('close', () => {
    closed = true
    wake?.()
  })
  const next = async (): Promise<{ payload: Buffer; sequence: number } | null> => {
    while (packets.length === 0 && !closed) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    return packets.shift() ?? null
  }
  const payload = async () => {
    const packet = await next()
    if (packet === null) throw new Error('the connection was closed')
    return packet.payload
  }
  /** Rows of the answer that comes next, or its ERR. */
  const rows = async (capabilities = login.capabilities) => {
    const decoder = new ResultSetDecoder(capabilities)
    const found: (string | null)[][] = []
    while (!decoder.ended) {
      const event = decoder.payload(await payload())
      if (event?.type === 'err') throw Object.assign(new Error(event.err.message), event.err)
      if (event?.type !== 'row') continue
      found.push(decodeTextRow(event.payload, decoder.columns.length).map((cell) => cell?.toString() ?? null))
    }
    return found
  }
  return { socket, login, next, payload, rows }
}

describe('login', () => {
  it('says that a backslash is a plain character here', async () => {
    const { login } = await open()
    expect(login.greeting.status & ServerStatus.NO_BACKSLASH_ESCAPES).not.toBe(0)
    expect(login.ok.statusFlags).toBe(ServerStatus.AUTOCOMMIT | ServerStatus.NO_BACKSLASH_ESCAPES)
  })

  it('takes one of its schemas, and any other name without meaning', async () => {
    for (const [name, current] of [
      ['monitor', 'monitor'],
      ['shop', 'main'],
    ]) {
      const { socket, rows } = await open(CONNECT_WITH_DB, 'admin', 'admin', name)
      socket.write(encodeQuery('SELECT DATABASE()', 0))
      expect(await rows()).toEqual([[current]])
    }
  })
})

describe('commands', () => {
  it.each([
    ['with EOF packets', 0],
    ['with DEPRECATE_EOF', DEPRECATE_EOF],
  ])('end result sets %s as negotiated', async (_, extra) => {
    const { socket, rows } = await open(extra)
    socket.write(encodeQuery('SELECT port FROM mysql_servers ORDER BY port', 0))
    expect(await rows()).toEqual([['3307'], ['3308'], ['3309']])
    socket.write(encodeQuery('SELECT port FROM mysql_servers WHERE 0', 0))
    expect(await rows()).toEqual([])
  })

  it('are answered in order when several are sent at once', async () => {
    const { socket, rows, payload } = await open()
    const close = Buffer.alloc(4)
    socket.write(
      Buffer.concat([
        encodeQuery('SELECT 1', 0),
        encodeCommand(Command.STMT_CLOSE, close),
        encodeCommand(Command.PING),
        encodeQuery('SELECT 2', 0),
      ]),
    )
    expect(await rows()).toEqual([['1']])
    expect((await payload())[0]).toBe(0)
    expect(await rows()).toEqual([['2']])
  })

  it('list the columns of a table, as clients ask that complete names', async () => {
    const { socket, next } = await open()
    const table = 'stats_mysql_global'
    socket.write(encodeCommand(Command.FIELD_LIST, Buffer.from(`${table}\0`)))
    const columns = [await next(), await next()].map((packet) => decodeColumnDefinition(packet!.payload))
    expect(columns.map((column) => [column.table, column.name])).toEqual([
      [table, 'Variable_Name'],
      [table, 'Variable_Value'],
    ])
    expect(await next()).toMatchObject({ sequence: 3, payload: Buffer.from([0xfe, 0, 0, 2, 2]) })
    socket.write(encodeCommand(Command.FIELD_LIST, Buffer.from('nowhere\0')))
    expect(decodeErr((await next())!.payload).errno).toBe(1146)
  })

  it('tell statistics in one line, change the schema, and reset', async () => {
    const { socket, payload, rows } = await open()
    socket.write(encodeCommand(Command.STATISTICS))
    expect((await payload()).toString()).toMatch(/^Uptime: \d+ {2}Threads: 3 {2}Questions: 14 {2}Slow queries: 0$/)
    socket.write(encodeCommand(Command.INIT_DB, Buffer.from('STATS')))
    expect((await payload())[0]).toBe(0)
    socket.write(encodeQuery('SELECT DATABASE()', 0))
    expect(await rows()).toEqual([['stats']])
    socket.write(encodeCommand(Command.RESET_CONNECTION))
    expect((await payload())[0]).toBe(0)
    socket.write(encodeQuery('SELECT DATABASE()', 0))
    expect(await rows()).toEqual([['main']])
  })

  it.each(['SHUTDOWN', 'PROCESS_KILL', 'BINLOG_DUMP', 'STMT_FETCH', 'SET_OPTION', 'DEBUG'] as const)(
    'of other kinds get 1047 and leave the connection usable: %s',
    async (name) => {
      const { socket, payload, rows } = await open()
      socket.write(encodeCommand(Command[name], Buffer.alloc(8)))
      const err = decodeErr(await payload())
      expect(err).toMatchObject({ errno: 1047, message: `sluice: COM_${name} is not served on the admin port` })
      socket.write(encodeQuery('SELECT 1', 0))
      expect(await rows()).toEqual([['1']])
    },
  )

  it('end the connection when they come out of order, empty, or larger than a statement may be', async () => {
    const large = Buffer.alloc(4 << 20, 0x20)
    for (const [bytes, errno] of [
      [frame(Buffer.from([Command.PING]), 3), 1156],
      [Buffer.alloc(4), 1156],
      [encodeCommand(Command.QUERY, large), 1153],
    ] as const) {
      const { socket, next } = await open()
      socket.write(bytes)
      const answer = await next()
      // The rest of what is too large may still be on its way when the connection ends, and take the answer with it.
      if (answer !== null) expect(decodeErr(answer.payload).errno).toBe(errno)
      expect(await next()).toBeNull()
    }
  })

  it('end with COM_QUIT', async () => {
    const { socket, next } = await open()
    socket.write(encodeCommand(Command.QUIT))
    expect(await next()).toBeNull()
  })
})

describe('prepared statements', () => {
  const parameter = (value: string | number | null, type: number = FieldType.VAR_STRING) => ({
    type,
    unsigned: false,
    value,
  })

  async function prepare(connection: Awaited<ReturnType<typeof open>>, sql: string): Promise<number> {
    connection.socket.write(encodeCommand(Command.STMT_PREPARE, Buffer.from(sql)))
    const ok = decodePrepareOk(await connection.payload())
    const metadata = [ok.parameterCount, ok.columnCount].reduce((sum, count) => sum + (count > 0 ? count + 1 : 0), 0)
    for (let i = 0; i < metadata; i++) await connection.payload()
    return ok.statementId
  }

  const executed = async (connection: Awaited<ReturnType<typeof open>>, payload: Buffer) => {
    connection.socket.write(frame(payload, 0))
    const first = await connection.payload()
    if (isErrPacket(first)) return decodeErr(first)
    const count = first[0]
    for (let i = 0; i < count + 1; i++) await connection.payload()
    const row = await connection.payload()
    await connection.payload()
    return row.subarray(1 + Math.ceil((count + 2) / 8)).toString('latin1')
  }

  it('take long data that was sent ahead, once', async () => {
    const connection = await open()
    const id = await prepare(connection, 'SELECT ? || ? AS joined')
    const part = (text: string) => {
      const head = Buffer.alloc(6)
      head.writeUInt32LE(id)
      return encodeCommand(Command.STMT_SEND_LONG_DATA, Buffer.concat([head, Buffer.from(text)]))
    }
    connection.socket.write(Buffer.concat([part('long '), part('data')]))
    const execute = encodeStmtExecute(id, [parameter(null), parameter('!')], BASE, CursorType.NO_CURSOR)
    // The first parameter is not NULL but already there.
    const withLongData = Buffer.from(execute)
    withLongData[10] = 0
    expect(await executed(connection, withLongData)).toBe('\x0along data!')
    expect(await executed(connection, encodeStmtExecute(id, [parameter('a'), parameter('b')], BASE))).toBe('\x02ab')
  })

  it('are unknown after COM_STMT_CLOSE and COM_RESET_CONNECTION, and the connection goes on', async () => {
    const connection = await open()
    const id = await prepare(connection, 'SELECT 1 AS one')
    const idBytes = Buffer.alloc(4)
    idBytes.writeUInt32LE(id)
    expect(await executed(connection, encodeStmtExecute(id, [], BASE))).toBe('\x011')
    connection.socket.write(encodeCommand(Command.STMT_CLOSE, idBytes))
    expect(await executed(connection, encodeStmtExecute(id, [], BASE))).toMatchObject({ errno: 1243 })
    const other = await prepare(connection, 'SELECT ? AS x')
    connection.socket.write(encodeCommand(Command.RESET_CONNECTION))
    await connection.payload()
    expect(await executed(connection, encodeStmtExecute(other, [parameter(1, FieldType.LONG)], BASE))).toMatchObject({
      errno: 1243,
    })
    connection.socket.write(encodeQuery('SELECT 1', 0))
    expect(await connection.rows()).toEqual([['1']])
  })

  it('with parameters that no packet explains are an error, not an end', async () => {
    const connection = await open()
    const id = await prepare(connection, 'SELECT ? AS x')
    const withoutTypes = encodeStmtExecute(id, [parameter('a')], BASE).subarray(0, 11)
    withoutTypes[10] = 0
    expect(await executed(connection, Buffer.concat([withoutTypes, Buffer.of(0)]))).toMatchObject({ errno: 1835 })
    expect(await executed(connection, encodeStmtExecute(id, [parameter('b')], BASE))).toBe('\x01b')
  })

  it('are limited in number', async () => {
    const connection = await open()
    for (let i = 0; i < 1000; i++) await prepare(connection, 'SELECT 1')
    connection.socket.write(encodeCommand(Command.STMT_PREPARE, Buffer.from('SELECT 1')))
    expect(decodeErr(await connection.payload())).toMatchObject({ errno: 1461 })
  })
})

describe('COM_CHANGE_USER', () => {
  const request = (username: string, authPlugin: string) =>
    frame(
      encodeChangeUser(
        { username: Buffer.from(username), authResponse: Buffer.alloc(0), collation: 45, authPlugin },
        BASE,
      ),
      0,
    )
  /** The scramble of an auth switch request. */
  const scrambleOf = (payload: Buffer) => payload.subarray(payload.indexOf(0) + 1, -1)

  it('proves the password by mysql_native_password as well, and begins a new session', async () => {
    const { socket, payload, rows } = await open()
    socket.write(request('stats', AuthPlugin.NATIVE))
    const asked = await payload()
    expect(asked.subarray(0, asked.indexOf(0)).toString('latin1')).toBe('\xfemysql_native_password')
    socket.write(frame(nativeResponse('stats', scrambleOf(asked)), 2))
    expect((await payload())[0]).toBe(0)
    socket.write(encodeQuery('SELECT USER(), DATABASE()', 0))
    expect(await rows()).toEqual([['stats@localhost', 'stats']])
    socket.write(encodeQuery('SELECT * FROM mysql_users', 0))
    await expect(rows()).rejects.toMatchObject({ errno: 1142 })
  })

  it.each([
    ['a wrong password', 'stats', 'wrong'],
    ['an unknown name', 'nobody', 'stats'],
    ['no password', 'stats', ''],
  ])('ends the connection for %s', async (_, user, password) => {
    const { socket, payload, next } = await open()
    socket.write(request(user, AuthPlugin.NATIVE))
    socket.write(frame(nativeResponse(password, scrambleOf(await payload())), 2))
    expect(decodeErr(await payload())).toMatchObject({ errno: 1045 })
    expect(await next()).toBeNull()
  })

  it('proves the password by caching_sha2_password, with the challenge of the session, and chooses a schema', async () => {
    const { socket, login, payload, rows } = await open()
    const change = { username: 'stats', authResponse: Buffer.alloc(0), collation: 45, database: 'stats_history' }
    socket.write(frame(encodeChangeUser({ ...change, authPlugin: AuthPlugin.CACHING_SHA2 }, BASE), 0))
    const asked = await payload()
    expect(asked.subarray(0, asked.indexOf(0)).toString('latin1')).toBe('\xfecaching_sha2_password')
    expect(scrambleOf(asked)).toEqual(login.greeting.scramble)
    socket.write(frame(sha2Response('stats', scrambleOf(asked)), 2))
    expect(await payload()).toEqual(Buffer.of(1, 3))
    expect((await payload())[0]).toBe(0)
    socket.write(encodeQuery('SELECT USER(), DATABASE()', 0))
    expect(await rows()).toEqual([['stats@localhost', 'stats_history']])
  })

  it('of a wrong password that asks for full authentication takes the password by RSA', async () => {
    const { socket, payload, next } = await open()
    socket.write(request('stats', AuthPlugin.CACHING_SHA2))
    const scramble = Buffer.from(scrambleOf(await payload()))
    socket.write(frame(sha2Response('wrong', scramble), 2))
    expect(await payload()).toEqual(Buffer.of(1, 4))
    socket.write(frame(Buffer.of(2), 4))
    const key = (await payload()).subarray(1)
    socket.write(frame(encryptPassword('wrong', scramble, key), 6))
    expect(await next()).toMatchObject({ sequence: 7, payload: expect.toSatisfy(isErrPacket) })
    expect(await next()).toBeNull()
  })

  it('that is cut ends the connection with 1047', async () => {
    const { socket, payload, next } = await open()
    socket.write(frame(Buffer.from('\x11stats'), 0))
    expect(decodeErr(await payload())).toMatchObject({ errno: 1047 })
    expect(await next()).toBeNull()
  })

  it('takes no other command for an answer', async () => {
    const { socket, payload, next } = await open()
    socket.write(request('stats', AuthPlugin.NATIVE))
    await payload()
    socket.write(encodeCommand(Command.PING))
    expect(decodeErr(await payload())).toMatchObject({ errno: 1156 })
    expect(await next()).toBeNull()
  })

  it('counts as a failed login: whoever guesses so has to wait', async () => {
    for (let attempt = 0; attempt < 10; attempt++) {
      const { socket, payload } = await open()
      socket.write(request('guessed', AuthPlugin.NATIVE))
      socket.write(frame(nativeResponse('guess', scrambleOf(await payload())), 2))
      expect(decodeErr(await payload())).toMatchObject({ errno: 1045 })
    }
    const { socket, payload, next } = await open()
    socket.write(request('guessed', AuthPlugin.NATIVE))
    socket.write(frame(nativeResponse('guess', scrambleOf(await payload())), 2))
    expect(decodeErr(await payload())).toMatchObject({ errno: 1129, message: expect.stringMatching(/'guessed'/) })
    expect(await next()).toBeNull()
  })
})
