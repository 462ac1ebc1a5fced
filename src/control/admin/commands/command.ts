import { type Match, type Pattern, pattern } from '../pattern.js'
import type { AdminResult, CommandContext, Role } from '../session.js'
import type { Token } from '../tokens.js'

export type CommandHandler = (context: CommandContext, match: Match) => AdminResult | Promise<AdminResult>

/** One line of the dispatch table. */
export interface AdminCommand {
  readonly pattern: Pattern
  readonly run: CommandHandler
  /** `admin`: the statistics account may not. */
  readonly role: Role
  /** Whether running it only reads: a client that prepares such a statement learns its columns by running it. */
  readonly reads: boolean
}

/** A command that reads and that both kinds of account may send. */
export function show(source: string, run: CommandHandler): AdminCommand {
  return { pattern: pattern(source), run, role: 'stats', reads: true }
}

/** A command of the administrators. */
export function adminOnly(source: string, run: CommandHandler): AdminCommand {
  return { pattern: pattern(source), run, role: 'admin', reads: false }
}

/** A command that changes the session alone, or nothing. */
export function accept(source: string, run: CommandHandler): AdminCommand {
  return { pattern: pattern(source), run, role: 'stats', reads: false }
}

export function findCommand(
  commands: readonly AdminCommand[],
  tokens: readonly Token[],
): { readonly command: AdminCommand; readonly match: Match } | null {
  for (const command of commands) {
    const match = command.pattern.match(tokens)
    if (match !== null) return { command, match }
  }
  return null
}
