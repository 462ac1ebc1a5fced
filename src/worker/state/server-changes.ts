import type { FromWorker, ServerChange } from '../../shared/ipc.js'
import type { Logger } from '../../shared/log.js'
import type { ServerId } from '../../shared/snapshot.js'
import { Effect, StatementKind } from '../../sql/index.js'
import { Announcements, wayToOthers } from '../announcements.js'
import type { CommandInHand } from '../session/command.js'
import type { AnswerNotes } from './session-learn.js'

const ACCOUNT_KINDS: ReadonlySet<number> = new Set([StatementKind.ddl, StatementKind.admin])

/** Whether a statement may change what accounts may do, global variables among that: its text is looked at. */
export function mayChangeAccounts({ kind, effects }: Pick<CommandInHand, 'kind' | 'effects'>): boolean {
  return ACCOUNT_KINDS.has(kind) || (effects & Effect.setsGlobal) !== 0
}

/**
 * Tells the other workers what a statement has changed for all sessions to come, global variables or accounts: whoever has its
 * answer finds the change on any connection, whichever worker serves that. So the end of the answer waits until they know.
 */
export class ServerChanges {
  readonly #send: (message: FromWorker) => void
  readonly #workers: () => number
  readonly #log: Logger
  readonly #announcements = new Announcements()

  /** @param workers how many there are, this one included */
  constructor(send: (message: FromWorker) => void, workers: () => number, log: Logger) {
    this.#send = send
    this.#workers = workers
    this.#log = log
  }

  /** Whether the answer to a command may be one that others have to know of first. */
  mayConcernOthers(command: CommandInHand): boolean {
    return mayChangeAccounts(command) && command.executes && wayToOthers(this.#workers()) === 'connected'
  }

  /** Resolves when they know, or do not say so in time: an answer is not held up for long. */
  async tell({ globalsSet, accountsChanged }: AnswerNotes, server: ServerId): Promise<void> {
    const change: ServerChange = { globalsOf: globalsSet ? [server] : [], accounts: accountsChanged }
    if (await this.#announcements.announce((request) => this.#send({ type: 'changed', request, change }))) return
    const what = accountsChanged ? 'accounts' : 'global variables'
    this.#log.warn({ server }, `other workers may not know yet that a client has changed ${what}`)
  }

  /** Whether all others take an announcement in time; there is nothing in it. */
  reachAll(): Promise<boolean> {
    const change: ServerChange = { globalsOf: [], accounts: false }
    return this.#announcements.announce((request) => this.#send({ type: 'changed', request, change }))
  }

  /** All others have said that they know. */
  acknowledged(request: number): void {
    this.#announcements.acknowledged(request)
  }
}
