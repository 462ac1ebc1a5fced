import { createHash } from 'node:crypto'
import type { LRUCache } from 'lru-cache'
import type { Ruling, Scope } from '../../rules/index.js'
import { boundedCache } from '../../shared/bounded-cache.js'
import type { GlobalCounters } from '../../shared/counters.js'
import type { PreparedStatementRow } from '../../shared/worker-tables.js'
import type { OpenStatement } from '../backend/backend.js'
import type { Wishes } from '../consistency/wishes.js'
import { isRepeatable } from '../routing/router.js'
import type { CommandInHand } from '../session/command.js'
import type { OwnStatement } from '../session/own-statement.js'
import type { ParseState } from '../state/parse-state.js'
import type { StatementDigest } from '../statistics/digests.js'

/** Where the text begins in a COM_STMT_PREPARE packet. */
export const PREPARED_TEXT_AT = 5
/** What is shown of a text. */
const SHOWN_BYTES_MAX = 2048
/** What a shared statement takes besides its text, measured on Node 20 (cache entry included). */
const SHARED_STATEMENT_BYTES = 450

/** A ruling holds for a scope of the rules and the flag with which the session begins. */
export interface RuledStatement {
  readonly scope: Scope
  readonly flagIN: number
  readonly ruling: Ruling | null
}

/** What all preparations of one text under one state have in common, over all sessions of a worker. */
export class SharedStatement {
  /** The COM_STMT_PREPARE packet, to prepare it on further servers. */
  readonly packet: Buffer
  /** The whole text is held; a text that was streamed to its server is not, and cannot be prepared again. */
  readonly complete: boolean
  readonly kind: number
  readonly effects: number
  readonly hint: number
  readonly hintHostgroup: number
  readonly perStatement: boolean
  /** As what its executions are counted: their number in `VERBS`. */
  readonly verb: number
  /** What its comments ask of its consistency. */
  readonly wishes: Wishes | null
  readonly repeatable: boolean
  /** What its client has prepared, where a query rule has rewritten it; null: what is in `packet`. */
  readonly clientText: Buffer | null
  /** What the query rules have said of it last; null: nobody has asked. */
  ruled: RuledStatement | null = null
  /** The session state with which its text is to be read. */
  readonly parseState: ParseState
  /** Statements of clients, and statements on servers, that are made of it. */
  clients = 0
  servers = 0
  cached = false
  parameterCount = 0
  columnCount = 0
  /** Where servers have it. */
  readonly openOn = new Set<OpenStatement>()
  /** null: nobody has asked for it. */
  digest: StatementDigest | null
  /** It is about Sluice's own variable, and no server is asked; null: it is not. */
  own: OwnStatement | null = null
  /** Parameter types that were bound last, by whichever session: sessions that bind the same ones share the bytes. */
  #types: Buffer | null = null

  constructor(command: CommandInHand, parseState: ParseState) {
    this.packet = copyOf(command.packet())
    this.complete = !command.streamed
    this.kind = command.kind
    this.effects = command.effects
    this.hint = command.hint
    this.hintHostgroup = command.hintHostgroup
    this.perStatement = command.perStatement
    this.verb = command.verb
    this.wishes = command.wishes
    this.digest = command.digest
    this.repeatable = isRepeatable(command)
    this.clientText = command.clientText === null ? null : copyOf(command.clientText)
    this.parseState = parseState
  }

  /** The one copy of these types. Types that were interned before are the same object as long as no others came since. */
  internTypes(types: Buffer): Buffer {
    if (this.#types === null || !this.#types.equals(types)) this.#types = copyOf(types)
    return this.#types
  }

  get bytes(): number {
    return this.packet.length + (this.clientText?.length ?? 0) + SHARED_STATEMENT_BYTES
  }

  get inUse(): boolean {
    return this.cached || this.clients > 0 || this.servers > 0
  }
}

/**
 * The prepared statements of a worker's sessions, by text, classification and the state they are parsed with, so that many
 * sessions that prepare the same text hold it once. Which of those that nobody uses any more are kept is bounded
 * (mysql-max_stmts_cache); those in use are kept by their sessions.
 */
export class SharedStatements {
  readonly #counters: GlobalCounters
  /** All that are in use, with their numbers. */
  readonly #all = new Map<SharedStatement, number>()
  #lastNumber = 0
  #cache: LRUCache<string, SharedStatement>

  constructor(counters: GlobalCounters, max: number) {
    this.#counters = counters
    this.#cache = this.#newCache(max)
  }

  /** Changes the bound; what is over it goes, least recently used first. */
  set max(max: number) {
    if (max === this.#cache.maxSize) return
    const before = this.#cache
    this.#cache = this.#newCache(max)
    for (const [key, shared] of [...before.entries()].slice(0, max).reverse()) this.#cache.set(key, shared)
    for (const [key, shared] of before.entries()) if (!this.#cache.has(key)) this.#uncached(shared)
    this.#counters.stmtCached = this.#cache.size
  }

  /** The shared part of the statement that a client prepares. */
  take(command: CommandInHand, parseState: ParseState): SharedStatement {
    if (command.streamed) return this.#counted(new SharedStatement(command, parseState))
    const key = keyOf(command, parseState)
    const known = this.#cache.get(key)
    if (known !== undefined) return known
    const fresh = this.#counted(new SharedStatement(command, parseState))
    fresh.cached = true
    this.#cache.set(key, fresh)
    this.#counters.stmtCached = this.#cache.size
    return fresh
  }

  /** To be called whenever a statement of a client (or on a server, which is `servers`) begins (1) or ends (-1). */
  count(shared: SharedStatement, where: 'clients' | 'servers', change: 1 | -1): void {
    const before = shared[where]
    shared[where] = before + change
    const unique = (shared[where] > 0 ? 1 : 0) - (before > 0 ? 1 : 0)
    if (where === 'clients') {
      this.#counters.stmtClientActiveTotal += change
      this.#counters.stmtClientActiveUnique += unique
    } else {
      this.#counters.stmtServerActiveTotal += change
      this.#counters.stmtServerActiveUnique += unique
    }
    if (change < 0 && !shared.inUse) this.#drop(shared)
  }

  /** All that are in use, in the order of their first use. */
  *report(): Generator<PreparedStatementRow> {
    for (const [shared, id] of this.#all) {
      const { packet, clients, servers, columnCount, parameterCount, parseState, digest } = shared
      yield {
        id,
        schema: parseState.schema,
        digest: digest?.hex ?? '',
        clients,
        servers,
        columns: columnCount,
        parameters: parameterCount,
        query: packet.toString('utf8', PREPARED_TEXT_AT, PREPARED_TEXT_AT + SHOWN_BYTES_MAX),
      }
    }
  }

  #newCache(max: number): LRUCache<string, SharedStatement> {
    return boundedCache<string, SharedStatement>(max, {
      dispose: (shared, _key, reason) => {
        if (reason === 'evict') this.#uncached(shared)
      },
    })
  }

  #uncached(shared: SharedStatement): void {
    shared.cached = false
    if (!shared.inUse) this.#drop(shared)
  }

  #drop(shared: SharedStatement): void {
    this.#counters.stmtTextBytes -= shared.bytes
    this.#all.delete(shared)
  }

  #counted(shared: SharedStatement): SharedStatement {
    this.#all.set(shared, ++this.#lastNumber)
    this.#counters.stmtTextBytes += shared.bytes
    return shared
  }
}

/**
 * Texts are told apart by a digest, so that the cache does not hold each of them twice. What the classification depends on
 * (sql_mode, character set, schema, stored functions known) is not part of it: its outcome is.
 */
function keyOf(command: CommandInHand, parseState: ParseState): string {
  const { kind, effects, hint, hintHostgroup, perStatement } = command
  return createHash('sha256')
    .update(command.packet())
    .update(`\n${kind} ${effects} ${hint} ${hintHostgroup} ${perStatement}\n`)
    .update(parseState.key)
    .update(command.clientText ?? '')
    .digest('base64')
}

/** Not of Node's shared pool: a few bytes would keep 8 KiB of it. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
