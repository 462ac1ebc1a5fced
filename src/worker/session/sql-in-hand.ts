import { PREPARED_TEXT_AT } from '../statements/shared-statement.js'
import type { PreparedStatement } from '../statements/statements.js'
import type { CommandInHand } from './command.js'
import type { SessionText } from './session-text.js'

/** A text as [start, end) of a buffer. */
export interface SqlText {
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
}

/** A command that has a text, or executes a statement that has one. */
export interface WithSql {
  readonly command: CommandInHand
  readonly statement: PreparedStatement | null
  readonly text: SessionText
}

/** The text of what the command in hand executes, as far as it is held. */
export function sqlInHand({ command, statement, text }: WithSql): SqlText {
  if (statement !== null) {
    const { packet } = statement.shared
    return { buffer: packet, start: PREPARED_TEXT_AT, end: packet.length }
  }
  return { buffer: command.buffer, start: text.textStart(command), end: command.end }
}

/** The same where all of it is held, else null. */
export function wholeSqlInHand(sql: WithSql): SqlText | null {
  const { command, statement } = sql
  if (command.streamed || (statement !== null && !statement.shared.complete)) return null
  const found = sqlInHand(sql)
  return found.start < 0 ? null : found
}
