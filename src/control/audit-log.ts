import { closeSync, openSync, writeSync } from 'node:fs'
import { UsageError } from '../shared/errors.js'
import type { Logger } from '../shared/log.js'

export interface AuditEntry {
  readonly action: 'login' | 'statement' | 'request'
  /** `api` for whoever has the token of the HTTP API. */
  readonly user: string
  /** Of the client; `localhost` for a unix socket. */
  readonly address: string
  /** Without secrets. */
  readonly statement?: string
  /** `ok`, or the error that it was answered with. */
  readonly outcome: string
}

const OWNER_ONLY = 0o600

/**
 * Who did what on the admin port and the HTTP API: one line of the log for each, and one of JSON in a file of its own where one is named.
 * The file is only ever appended to.
 */
export class AuditLog {
  private readonly log: Logger
  private readonly path: string | null
  private file: number | null = null

  /** Throws UsageError when the file cannot be written. */
  constructor(log: Logger, path: string | null) {
    this.log = log
    this.path = path
    if (path === null) return
    try {
      this.file = openSync(path, 'a', OWNER_ONLY)
    } catch (error) {
      throw new UsageError(`admin.audit_log: ${path} cannot be written (${(error as NodeJS.ErrnoException).code})`)
    }
  }

  write(entry: AuditEntry): void {
    this.log.info({ audit: entry }, `admin ${entry.action} of ${entry.user}@${entry.address}: ${entry.outcome}`)
    if (this.file === null) return
    try {
      writeSync(this.file, `${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`)
    } catch (error) {
      this.log.error(`the audit log ${this.path} cannot be written: ${(error as Error).message}`)
    }
  }

  /** Begins with a new file where the old one has been moved away. Throws UsageError, going on with the old one. */
  reopen(): void {
    if (this.path === null) return
    const fresh = new AuditLog(this.log, this.path)
    this.close()
    this.file = fresh.file
  }

  close(): void {
    if (this.file !== null) closeSync(this.file)
    this.file = null
  }
}
