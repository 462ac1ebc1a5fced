import type { LexicalOptions } from '../sql/index.js'
import type { CommandInHand } from './command.js'

/** How a session's texts are read. */
export interface StatementText {
  /** How the server cuts them into tokens now. Valid until another session's are asked for. */
  readonly options: LexicalOptions
  /** Where the SQL text of a command begins in its buffer; -1: it has none, or it is malformed. */
  textStart(command: CommandInHand): number
}
