import { ProxyError } from '../../shared/errors.js'
import type { AuditLog } from '../audit-log.js'
import type { NewEvent } from '../event-log.js'
import { readOnly } from './errors.js'
import { type AdminSession, type PortGuard, whoIs } from './session.js'
import { withoutSecrets } from './statement-secrets.js'
import { isPunctuation, isWord, scan, type Token } from './tokens.js'

/** First words of statements that change the configuration or the statistics. */
const WRITES = ['INSERT', 'REPLACE', 'UPDATE', 'DELETE'] as const
const CHANGES = [...WRITES, 'LOAD', 'SAVE', 'TRUNCATE'] as const
/** Moves configuration between its layers. */
const LOADS = /^\s*(load|save)\b/i
/** ... and of those that do something to the proxy or its clients, which a read-only port takes all the same. */
const ACTIONS = ['PROXYSQL', 'SLUICE', 'KILL'] as const

/**
 * Stands before every statement that changes something or could: notes it with its outcome in the audit log, and lets none
 * change the configuration while the port is read-only.
 */
export class StatementGuard implements PortGuard {
  private readonly audit: Pick<AuditLog, 'write' | 'reopen'>
  private readonly events: (event: NewEvent) => void
  private readonly isReadOnly: () => boolean

  /** @param events takes what other operators should see of it */
  constructor(audit: Pick<AuditLog, 'write' | 'reopen'>, events: (event: NewEvent) => void, isReadOnly: () => boolean) {
    this.audit = audit
    this.events = events
    this.isReadOnly = isReadOnly
  }

  reopenLog(): void {
    this.audit.reopen()
  }

  /** Runs a statement, whose errors are handed on. */
  async run<T>(session: AdminSession, sql: string, work: () => Promise<T>): Promise<T> {
    const effect = effectOf(sql)
    if (effect === 'none') return work()
    try {
      if (effect === 'changes' && this.isReadOnly()) {
        throw readOnly('this port is read-only; expected PROXYSQL READWRITE first')
      }
      const result = await work()
      this.note(session, sql, 'ok')
      if (LOADS.test(sql)) this.noteLoad(session, sql)
      return result
    } catch (error) {
      // The message may hold what was wrong, and that may be a password.
      this.note(session, sql, error instanceof ProxyError ? `error ${error.errno} (${error.code})` : 'internal error')
      throw error
    }
  }

  private noteLoad(session: AdminSession, sql: string): void {
    this.events({ kind: 'config', what: withoutSecrets(sql), why: 'asked for', who: whoIs(session) })
  }

  private note({ user, address }: AdminSession, sql: string, outcome: string): void {
    this.audit.write({ action: 'statement', user, address, statement: withoutSecrets(sql), outcome })
  }
}

/** What a statement may do: nothing, change the configuration or the statistics, or something to the proxy. */
export function effectOf(sql: string): 'none' | 'changes' | 'acts' {
  let tokens: readonly Token[]
  try {
    tokens = scan(sql)
  } catch {
    // It will be refused for the same reason.
    return 'none'
  }
  const begins = (words: readonly string[]): boolean => words.some((word) => isWord(tokens[0], word))
  if (begins(ACTIONS)) return 'acts'
  if (begins(CHANGES) || setsVariable(tokens)) return 'changes'
  const writes = tokens.some(
    (token, at) => WRITES.some((word) => isWord(token, word)) && !isPunctuation(tokens[at + 1], '('),
  )
  return begins(['WITH']) && writes ? 'changes' : 'none'
}

/** SET of a variable of the proxy; a session's own settings, which clients send as they connect, are none. */
function setsVariable(tokens: readonly Token[]): boolean {
  if (!isWord(tokens[0], 'SET')) return false
  return tokens.some(
    (token, at) =>
      (token.kind === 'variable' && /^(mysql|admin)-/.test(token.value)) ||
      ((isWord(token, 'MYSQL') || isWord(token, 'ADMIN')) && isPunctuation(tokens[at + 1], '-')),
  )
}
