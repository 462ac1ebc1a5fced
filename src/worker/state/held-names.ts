import {
  advisoryLocks,
  Effect,
  handlerNames,
  type LexicalOptions,
  StatementKind,
  temporaryTables,
} from '../../sql/index.js'

/** A statement that has been executed. */
export interface ExecutedText {
  readonly buffer: Uint8Array
  readonly start: number
  readonly end: number
}

/** More names than this of one sort are not kept: what they hold then lasts as long as the session. */
const NAMES_MAX = 1_000

/**
 * What of one sort a session has on its connection, by name, so that it is known when the last of it is gone. Where a
 * statement is not understood it lasts until the connection is reset.
 */
class Held {
  /** How often each was taken and not released. */
  readonly #counts = new Map<string, number>()
  #forGood = false

  get isEmpty(): boolean {
    return !this.#forGood && this.#counts.size === 0
  }

  add(name: string): void {
    if (this.#counts.size >= NAMES_MAX) this.#forGood = true
    else this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }

  /** @param once a name that was added twice is gone with the first removal */
  remove(name: string, once = false): void {
    const count = this.#counts.get(name) ?? 0
    if (count > 1 && !once) this.#counts.set(name, count - 1)
    else this.#counts.delete(name)
  }

  removeAll(): void {
    this.#counts.clear()
    this.#forGood = false
  }

  keepForGood(): void {
    this.#forGood = true
  }
}

/** Temporary tables, advisory locks, prepared statements and handlers that a session has on its connection. */
export class HeldNames {
  #tables: Held | null = null
  #locks: Held | null = null
  #prepared: Held | null = null
  #handlers: Held | null = null

  clear(): void {
    this.#tables = this.#locks = this.#prepared = this.#handlers = null
  }

  /** Something may have made temporary tables whose names nobody knows. */
  tablesUnknown(): void {
    this.#tables ??= new Held()
    this.#tables.keepForGood()
  }

  /** @returns whether there are temporary tables */
  learnTables({ buffer, start, end }: ExecutedText, options: LexicalOptions & { schema: string }): boolean {
    this.#tables ??= new Held()
    const found = temporaryTables(buffer, start, end, options)
    if (found === null) this.#tables.keepForGood()
    for (const name of found?.created ?? []) this.#tables.add(name)
    for (const name of found?.dropped ?? []) this.#tables.remove(name, true)
    return !this.#tables.isEmpty
  }

  /** Tables may be dropped without the word TEMPORARY. */
  get hasTables(): boolean {
    return this.#tables !== null && !this.#tables.isEmpty
  }

  /** @returns whether there may be locks */
  learnLocks({ buffer, start, end }: ExecutedText, options: LexicalOptions, effects: number): boolean {
    this.#locks ??= new Held()
    const found = advisoryLocks(buffer, start, end, options)
    if (found === null && (effects & Effect.advisoryLock) !== 0) this.#locks.keepForGood()
    if (found?.allReleased) this.#locks.removeAll()
    for (const name of found?.taken ?? []) this.#locks.add(name)
    for (const name of found?.released ?? []) this.#locks.remove(name)
    return !this.#locks.isEmpty
  }

  /**
   * @param name of the statement that was prepared or deallocated; empty: it is not known
   * @returns whether there are prepared statements of the text protocol
   */
  learnPrepared(name: string, kind: number): boolean {
    this.#prepared ??= new Held()
    if (kind === StatementKind.deallocate) this.#prepared.remove(name.toLowerCase(), true)
    else if (name === '') this.#prepared.keepForGood()
    else this.#prepared.add(name.toLowerCase())
    return !this.#prepared.isEmpty
  }

  /** @returns whether there are open handlers */
  learnHandlers({ buffer, start, end }: ExecutedText, options: LexicalOptions): boolean {
    this.#handlers ??= new Held()
    const found = handlerNames(buffer, start, end, options)
    if (found === null) this.#handlers.keepForGood()
    if (found?.opened != null) this.#handlers.add(found.opened)
    if (found?.closed != null) this.#handlers.remove(found.closed, true)
    return !this.#handlers.isEmpty
  }
}
