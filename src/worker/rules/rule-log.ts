import type { Logger } from '../../shared/log.js'
import type { CommandInHand } from '../session/command.js'
import type { SessionFacts } from '../session/session-facts.js'
import type { SessionState } from '../state/session-state.js'
import type { SharedStatement } from '../statements/shared-statement.js'
import type { PreparedStatement } from '../statements/statements.js'
import type { StatementDigest } from '../statistics/digests.js'

/** A statement that is over. */
export interface LoggedStatement {
  readonly command: CommandInHand
  readonly user: string
  readonly schema: string
  readonly digest: StatementDigest | null
  /** Of the answer; 0: it is no error. */
  readonly errno: number
}

/** What each second may be logged; what is left out is counted in the next line. */
const LINES_PER_SECOND = 100
const TEXT_LENGTH_MAX = 1_000

/** Logs the statements for which a query rule says `log`: one line each, and not more than can be written. */
export class RuleLog {
  readonly #now: () => number
  #second = -1
  #lines = 0
  #leftOut = 0

  constructor(now: () => number) {
    this.#now = now
  }

  note({ command, user, schema, digest, errno }: LoggedStatement, log: Logger): void {
    const now = this.#now()
    const second = Math.floor(now / 1_000)
    if (second !== this.#second) {
      this.#second = second
      this.#lines = 0
    }
    if (this.#lines >= LINES_PER_SECOND) {
      this.#leftOut++
      return
    }
    this.#lines++
    const leftOut = this.#leftOut
    this.#leftOut = 0
    log.info(
      {
        rules: command.ruling?.matched.map(({ rule }) => rule.ruleId),
        user,
        schema,
        digest: digest?.hex,
        text: digest?.text.slice(0, TEXT_LENGTH_MAX),
        timeMs: Math.round((now - command.startedAt) * 1_000) / 1_000,
        ...(errno === 0 ? {} : { errno }),
        ...(leftOut === 0 ? {} : { leftOut }),
      },
      'query',
    )
  }
}

interface LoggedSession {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly facts: SessionFacts
  readonly state: SessionState
  readonly text: { digestOf(command: CommandInHand, shared: SharedStatement | null): StatementDigest | null }
}

/** Writes the line that a query rule asks for of the command in hand. @param errno of the answer; 0: it is no error */
export function logStatement(
  { command, statement, facts, state, text }: LoggedSession,
  { ruleLog, log }: { readonly ruleLog: RuleLog; readonly log: Logger },
  errno: number,
): void {
  const digest = text.digestOf(command, statement?.shared ?? null)
  ruleLog.note({ command, user: facts.user.name, schema: state.schema, digest, errno }, log)
}
