import type { Logger } from '../../shared/log.js'
import type { ControlView } from '../view.js'
import type { EngineHost } from './engine/host.js'
import type { RowSet, SqlValue, WireResult } from './engine/messages.js'
import { DATABASES, type DatabaseName } from './engine/schema.js'

/** `admin` may do everything the port offers; `stats` reads statistics. */
export type Role = 'admin' | 'stats'

/** One client of the admin port. */
export interface AdminSession {
  readonly user: string
  readonly role: Role
  /** Of its client; `localhost` for a unix socket. */
  readonly address: string
  readonly connectionId: number
  /** What DATABASE() answers and SHOW TABLES lists. Names in statements are looked up in all schemas whatever it is. */
  database: DatabaseName
  /** What SHOW WARNINGS tells: said of the last statement that was another one. */
  warnings: readonly string[]
}

/** The schema that an account begins in: the one whose tables it came for. */
export function databaseOf(role: Role): DatabaseName {
  return role === 'stats' ? 'stats' : 'main'
}

/** @param database what the client named when it connected; another name than a schema's is accepted and means nothing */
export function newSession(
  user: string,
  role: Role,
  address: string,
  connectionId: number,
  database: string | undefined,
): AdminSession {
  const known = DATABASES.find((name) => name === database?.toLowerCase())
  return { user, role, address, connectionId, database: known ?? databaseOf(role), warnings: [] }
}

/** As events and logs name a client. */
export function whoIs({ user, address }: AdminSession): string {
  return `${user}@${address}`
}

export type AdminResult =
  | ({ readonly kind: 'ok'; readonly info: string } & Partial<OkFacts>)
  | ({ readonly kind: 'rows' } & RowSet)
  | ({ readonly kind: 'packets' } & WireResult)

/** What an OK packet counts; 0 unless given. */
export interface OkFacts {
  readonly affectedRows: number
  readonly lastInsertId: number
  readonly warnings: number
}

export const OK: AdminResult = { kind: 'ok', info: '' }

export function rows(columns: readonly string[], cells: readonly (readonly (string | null)[])[]): AdminResult {
  return { kind: 'rows', columns, rows: cells }
}

/** What commands may change of the port itself (`StatementGuard`). */
export interface PortGuard {
  /** Begins with a new audit log where the old one has been moved away. Throws UsageError. */
  reopenLog(): void
}

/** What statements work with. */
export interface AdminServices {
  readonly view: ControlView
  readonly engine: EngineHost
  readonly guard: PortGuard
  readonly log: Logger
}

/** What a command's handler may use. */
export interface CommandContext extends AdminServices {
  readonly session: AdminSession
  /**
   * Runs a SELECT like one of the client's own: tables filled first, rights of the account checked. The result is to be
   * handed on as it is; for a client on the wire it is packets.
   */
  query(sql: string, params?: readonly SqlValue[]): Promise<AdminResult>
}

/** A statement in a dialect of its own, which is asked for the text before anything else looks at it. */
export interface ExtraCommand {
  match(sql: string): boolean
  /** Of its result. */
  readonly columns: readonly string[]
  /** Throws ProxyError for what the client got wrong. */
  run(sql: string, context: CommandContext): AdminResult | Promise<AdminResult>
}
