import {
  type Connection,
  type ConnectionOptions,
  createConnection,
  type FieldPacket,
  type ResultSetHeader,
} from 'mysql2/promise'
import { formatListenAddress } from '../control/config/addresses.js'
import { type AdminEndpoint, formatEndpoint } from './admin-endpoint.js'
import { PASSWORD_VARIABLE } from './endpoint-flags.js'

/** What a statement answers: a result set, or what it has done. */
export type AdminAnswer =
  | {
      readonly kind: 'rows'
      readonly columns: readonly string[]
      readonly rows: readonly (readonly (string | null)[])[]
    }
  | { readonly kind: 'done'; readonly affectedRows: number; readonly info: string }

/** The admin port cannot be reached or lets nobody in: one line for the operator, exit status 1. */
export class ConnectError extends Error {
  /** Whether another password may help. */
  readonly denied: boolean

  constructor(message: string, denied = false) {
    super(message)
    this.name = 'ConnectError'
    this.denied = denied
  }
}

/** The admin port refused a statement; the connection is usable. */
export class StatementError extends Error {
  constructor(errno: number, sqlState: string, message: string) {
    super(`ERROR ${errno} (${sqlState}): ${message}`)
    this.name = 'StatementError'
  }
}

const CONNECT_TIMEOUT_MS = 5000
const ER_ACCESS_DENIED = 1045
/** mysql2's word for a server that offers no TLS. */
const NO_TLS = 'HANDSHAKE_NO_SSL_SUPPORT'

/**
 * A connection to the admin port, made anew when it was lost. mysql2 and not the project's own protocol library, whose
 * client side is a login machine and a framer: what is wanted here are rows, and nothing here is on the way of a query.
 */
export class AdminClient {
  private endpoint: AdminEndpoint
  private connection: Connection | null = null

  constructor(endpoint: AdminEndpoint) {
    this.endpoint = endpoint
  }

  /** Rejects with a ConnectError. */
  async connect(): Promise<void> {
    if (this.connection !== null) return
    const { address, user } = this.endpoint
    // The default account of the same name: ProxySQL's convention, good from the local host only.
    const password = this.endpoint.password ?? user
    try {
      const connection = await open({
        ...(address.path === undefined ? { host: address.host, port: address.port } : { socketPath: address.path }),
        user,
        password,
        rowsAsArray: true,
        connectTimeout: CONNECT_TIMEOUT_MS,
      })
      connection.on('error', () => this.lost(connection))
      connection.on('end', () => this.lost(connection))
      this.connection = connection
    } catch (error) {
      throw connectError(this.endpoint, error as NodeJS.ErrnoException & { sqlMessage?: string })
    }
  }

  /** For the next attempt to connect. */
  usePassword(password: string): void {
    this.endpoint = { ...this.endpoint, password }
  }

  get passwordIsKnown(): boolean {
    return this.endpoint.password !== null
  }

  /** Rejects with a StatementError, or with a ConnectError when the connection is lost and cannot be made again. */
  async query(sql: string): Promise<AdminAnswer> {
    await this.connect()
    const connection = this.connection as Connection
    try {
      const [result, fields] = await connection.query(sql)
      return answerOf(result, fields)
    } catch (error) {
      const { errno, sqlState, message, sqlMessage } = error as Error & {
        errno?: number
        sqlState?: string
        sqlMessage?: string
      }
      if (sqlMessage !== undefined && errno !== undefined)
        throw new StatementError(errno, sqlState ?? 'HY000', oneLine(sqlMessage))
      this.close()
      throw new ConnectError(`the connection to ${formatEndpoint(this.endpoint)} was lost (${oneLine(message)})`)
    }
  }

  /** Ends the connection at once, also under a statement. */
  close(): void {
    const connection = this.connection
    this.connection = null
    connection?.destroy()
  }

  private lost(connection: Connection): void {
    if (this.connection === connection) this.connection = null
  }
}

/** With TLS where it is offered, as MySQL's clients (`PREFERRED`): nobody has told whose certificate would be the right one. */
async function open(options: ConnectionOptions): Promise<Connection> {
  // As MySQL's clients, too, not over a unix socket.
  if (options.socketPath !== undefined) return createConnection(options)
  try {
    return await createConnection({ ...options, ssl: { rejectUnauthorized: false } })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== NO_TLS) throw error
    return createConnection(options)
  }
}

function answerOf(result: unknown, fields: FieldPacket[] | undefined): AdminAnswer {
  if (!Array.isArray(result) || fields === undefined) {
    const { affectedRows, info } = result as ResultSetHeader
    return { kind: 'done', affectedRows, info }
  }
  const rows = (result as unknown[][]).map((row) => row.map((value) => (value === null ? null : String(value))))
  return { kind: 'rows', columns: fields.map(({ name }) => name), rows }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: is Sluice running, and has its configuration the key admin?',
  ENOENT: 'there is no such socket: is Sluice running?',
  EACCES: 'this user may not use the socket',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved',
  ETIMEDOUT: `no answer within ${CONNECT_TIMEOUT_MS / 1000} s`,
}

function connectError(endpoint: AdminEndpoint, error: NodeJS.ErrnoException & { sqlMessage?: string }): ConnectError {
  const { code, errno, message, sqlMessage } = error
  if (errno === ER_ACCESS_DENIED) {
    const hint = endpoint.password === null ? `; expected --password-file, ${PASSWORD_VARIABLE} or --config` : ''
    return new ConnectError(`${formatListenAddress(endpoint.address)}: ${oneLine(sqlMessage ?? message)}${hint}`, true)
  }
  const why = sqlMessage ?? REASONS[code ?? ''] ?? (message === '' ? String(code) : message)
  return new ConnectError(`the admin port ${formatListenAddress(endpoint.address)} cannot be reached (${oneLine(why)})`)
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ')
}
