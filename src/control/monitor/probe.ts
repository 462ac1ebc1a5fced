import { connect as connectSocket, type Socket } from 'node:net'
import mysql, { type Connection, type ConnectionOptions, type QueryError } from 'mysql2'
import { decodeGreeting, encodeProxyHeader, type Greeting, isErrPacket } from '../../../protocol/index.js'
import { tlsWanted } from '../../shared/server-tls.js'
import type { ProxyProtocol, ServerId, ServerTls } from '../../shared/snapshot.js'
import type { Row } from './monitor-queries.js'
import { hostToVerify, isTlsNotOffered, sslOptions, tlsErrorText } from './probe-tls.js'

export interface ProbeTarget {
  readonly id: ServerId
  readonly host: string
  /** 0: `host` is the path of a unix socket. */
  readonly port: number
  readonly tls: ServerTls
  readonly proxyProtocol: ProxyProtocol
  readonly user: string
  readonly password: string
  readonly database?: string | undefined
  /** For TCP, TLS and login together, in milliseconds. */
  readonly connectTimeoutMs: number
}

/**
 * `unreachable`: no server, or one that serves nobody; `refused`: a server that does not let this account in or look;
 * `sql`: it answered a statement with an error.
 */
export type ProbeErrorKind = 'unreachable' | 'refused' | 'sql'

export class ProbeError extends Error {
  readonly kind: ProbeErrorKind
  /** The server's error number; 0 when the error is not the server's. */
  readonly errno: number

  constructor(kind: ProbeErrorKind, errno: number, message: string) {
    super(message)
    this.name = 'ProbeError'
    this.kind = kind
    this.errno = errno
  }
}

/** ER_SERVER_SHUTDOWN and ER_SERVER_OFFLINE_MODE: the server is there but lets nobody work. */
const OUT_OF_SERVICE: readonly number[] = [1053, 3032]
const HEADER_SIZE = 4
const GREETING_SIZE_MAX = 1024

/** One connection of the monitor to one server. Every wait is bounded; after an error of the connection it is closed. */
export class ProbeConnection {
  readonly greeting: Greeting
  private readonly connection: Connection
  private readonly tap: GreetingTap
  private lost: string | null = null
  private onLost: (reason: string) => void = () => {}

  private constructor(connection: Connection, tap: GreetingTap, greeting: Greeting) {
    this.connection = connection
    this.tap = tap
    this.greeting = greeting
    connection.on('error', (error: Error) => this.lose(error.message))
    connection.on('end', () => this.lose('the server closed the connection'))
  }

  /** Connects and logs in. Rejects with a ProbeError. */
  static open(target: ProbeTarget): Promise<ProbeConnection> {
    return new Promise((resolve, reject) => {
      const tap = new GreetingTap(target)
      let connection: Connection | null = null
      const fail = (error: ProbeError | null): void => {
        clearDeadline()
        // Errors that come after the first one have nobody to tell.
        connection?.on('error', () => {})
        connection?.destroy()
        tap.destroy()
        if (error !== null) reject(error)
      }
      const clearDeadline = deadline(target.connectTimeoutMs, () => {
        fail(new ProbeError('unreachable', 0, `no login within ${target.connectTimeoutMs} ms`))
      })
      const logIn = (socket: Socket): void => {
        const made = mysql.createConnection(connectionOptions(target, socket))
        connection = made
        made.once('error', (error: Error) => {
          if (!isTlsNotOffered(error) || target.tls.mode !== 'preferred') return fail(connectError(target, error))
          fail(null)
          ProbeConnection.open({ ...target, tls: { ...target.tls, mode: 'disabled' } }).then(resolve, reject)
        })
        made.once('connect', () => {
          clearDeadline()
          made.removeAllListeners('error')
          const greeting = tap.greeting
          if (greeting === null) fail(new ProbeError('unreachable', 0, 'no greeting'))
          else resolve(new ProbeConnection(made, tap, greeting))
        })
      }
      tap.open(logIn, (error) => fail(connectError(target, error)))
    })
  }

  get isLost(): boolean {
    return this.lost !== null
  }

  /** Called once, when the connection goes away while nobody waits for an answer. */
  whenLost(handler: (reason: string) => void): void {
    this.onLost = handler
  }

  /** Sends statements separated by `;` in one round trip; resolves with the rows of each. Rejects with a ProbeError. */
  query(statements: readonly string[], timeoutMs: number): Promise<Row[][]> {
    return new Promise((resolve, reject) => {
      if (this.lost !== null) {
        reject(new ProbeError('unreachable', 0, this.lost))
        return
      }
      const clearDeadline = deadline(timeoutMs, () => {
        this.close()
        reject(new ProbeError('unreachable', 0, `no answer within ${timeoutMs} ms`))
      })
      this.connection.query(statements.join('; '), (error: QueryError | null, result: unknown) => {
        if (!clearDeadline()) return
        if (error !== null) reject(this.queryError(error))
        else resolve((statements.length === 1 ? [result] : result) as Row[][])
      })
    })
  }

  close(): void {
    this.onLost = () => {}
    this.lose('closed')
  }

  private queryError(error: QueryError): ProbeError {
    const errno = error.errno ?? 0
    const isSql = !error.fatal && error.sqlState !== undefined && !OUT_OF_SERVICE.includes(errno)
    if (!isSql) this.close()
    return new ProbeError(isSql ? 'sql' : 'unreachable', errno, error.message)
  }

  private lose(reason: string): void {
    if (this.lost !== null) return
    this.lost = reason
    this.connection.destroy()
    this.tap.destroy()
    this.onLost(reason)
  }
}

/** Reads the server's first packet as it passes: mysql2 does not keep all of it. */
class GreetingTap {
  greeting: Greeting | null = null
  private readonly target: ProbeTarget
  private received: Buffer = Buffer.alloc(0)
  private socket: Socket | null = null

  constructor(target: ProbeTarget) {
    this.target = target
  }

  /**
   * Calls `connected` as soon as there is a connection, or `failed`. mysql2 comes in only then: what it sets up costs ten times a
   * socket, and servers that are not there are tried again and again.
   */
  open(connected: (socket: Socket) => void, failed: (error: Error) => void): void {
    const { host, port, proxyProtocol } = this.target
    const socket = port === 0 ? connectSocket({ path: host }) : connectSocket({ host, port, noDelay: true })
    socket.once('error', failed)
    socket.once('connect', () => {
      socket.off('error', failed)
      connected(socket)
    })
    const listener = (chunk: Buffer): void => {
      if (this.take(chunk)) socket.off('data', listener)
    }
    socket.on('data', listener)
    // Sluice itself connects: there is no client to speak of.
    if (proxyProtocol !== 'off') socket.write(encodeProxyHeader(proxyProtocol === 'v1' ? 1 : 2, null))
    this.socket = socket
  }

  /** mysql2 only ends its side, and a server that hangs would keep the socket for as long as it hangs. */
  destroy(): void {
    this.socket?.destroy()
  }

  /** Returns whether there is nothing more to read. */
  private take(chunk: Buffer): boolean {
    this.received = Buffer.concat([this.received, chunk])
    if (this.received.length < HEADER_SIZE) return false
    const end = HEADER_SIZE + this.received.readUIntLE(0, 3)
    if (this.received.length < end) return end > GREETING_SIZE_MAX
    const payload = this.received.subarray(HEADER_SIZE, end)
    try {
      if (!isErrPacket(payload)) this.greeting = decodeGreeting(payload)
    } catch {
      // mysql2 reads the same packet and says what is wrong with it.
    }
    return true
  }
}

function connectionOptions(target: ProbeTarget, socket: Socket): ConnectionOptions {
  return {
    stream: socket,
    // Nothing is prepared here, and mysql2 makes room for all of them at once.
    maxPreparedStatements: 1,
    // Tells mysql2 that the transport is safe: over a unix socket servers take caching_sha2_password's password in clear only.
    ...(target.port === 0 ? { socketPath: target.host } : {}),
    host: hostToVerify(target),
    user: target.user,
    password: target.password,
    ...(target.database === undefined ? {} : { database: target.database }),
    // The deadline around it covers the login, too; this one would only word the error differently.
    connectTimeout: 2 * target.connectTimeoutMs,
    multipleStatements: true,
    supportBigNumbers: true,
    connectAttributes: { program_name: 'sluice-monitor' },
    ...(tlsWanted(target.tls, target.port) === 'off' ? {} : { ssl: sslOptions(target.tls) }),
  }
}

function connectError(target: ProbeTarget, error: Error): ProbeError {
  const tlsText = tlsErrorText(target, error)
  if (tlsText !== null) return new ProbeError('unreachable', 0, tlsText)
  const { errno, sqlState, code } = error as QueryError
  const fromServer = typeof errno === 'number' && errno >= 1000 && (sqlState !== undefined || code?.startsWith('ER_'))
  if (fromServer && !OUT_OF_SERVICE.includes(errno)) return new ProbeError('refused', errno, error.message)
  return new ProbeError('unreachable', fromServer ? errno : 0, error.message || code || 'connection failed')
}

/**
 * Calls `expire` after `ms`, unless the returned function is called before; that one returns whether it came in time.
 * A process that was held up itself first reads what has arrived meanwhile.
 */
function deadline(ms: number, expire: () => void): () => boolean {
  let over = false
  const end = (): void => {
    if (over) return
    over = true
    expire()
  }
  // Timers run before sockets are read: setImmediate lets an answer that lies there be read first.
  const timer = setTimeout(() => setImmediate(end), ms)
  return () => {
    const inTime = !over
    over = true
    clearTimeout(timer)
    return inTime
  }
}
