import { boundedCache } from '../../shared/bounded-cache.js'
import type { DigestRow } from '../../shared/worker-tables.js'
import type { StatementDigest } from './digests.js'

/** Scopes that are known; sessions keep their own also where it is not among them any more. */
const SCOPES_MAX = 10_000

/** Executions of one digest in one place. Times in monotonic ms, durations in microseconds. */
class Row {
  readonly place: Place
  readonly digest: StatementDigest
  count = 0
  readonly firstSeen: number
  lastSeen: number
  sumUs = 0
  minUs = Number.POSITIVE_INFINITY
  maxUs = 0
  rowsAffected = 0
  rowsSent = 0
  errors = 0
  /** It was counted in again since the hand of the clock came by last. */
  met = false

  constructor(place: Place, digest: StatementDigest, now: number) {
    this.place = place
    this.digest = digest
    this.firstSeen = now
    this.lastSeen = now
  }
}

/** A scope on one hostgroup. */
interface Place {
  readonly scope: Scope
  readonly hostgroup: number
  readonly rows: Map<StatementDigest, Row>
}

/** Whose statements are counted together: those of one user with one schema, from one address where addresses count. */
export interface Scope {
  readonly user: string
  readonly schema: string
  readonly client: string
  readonly places: Map<number, Place>
}

/** What one execution has come to. */
export interface Outcome {
  latencyUs: number
  rowsAffected: number
  rowsSent: number
  failed: boolean
}

/**
 * What a worker has counted by digest. Bounded by number of rows: those not counted in for longest make room, as the hand of
 * a clock finds them.
 */
export class DigestStatistics {
  evictions = 0
  #rowsMax: number
  readonly #scopes = boundedCache<string, Scope>(SCOPES_MAX)
  /** In the order of their making; the hand goes round in it. */
  readonly #rows = new Set<Row>()
  #hand: SetIterator<Row>

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax
    this.#hand = this.#rows.values()
  }

  set rowsMax(rowsMax: number) {
    this.#rowsMax = rowsMax
    this.#makeRoom()
  }

  get size(): number {
    return this.#rows.size
  }

  /** The scope of this user, schema and address; `known` itself where it is that one. */
  scopeOf(known: Scope | null, user: string, schema: string, client: string): Scope {
    if (known !== null && known.schema === schema && known.user === user && known.client === client) return known
    const key = `${user}\0${schema}\0${client}`
    let scope = this.#scopes.get(key)
    if (scope === undefined) {
      scope = { user, schema, client, places: new Map() }
      this.#scopes.set(key, scope)
    }
    return scope
  }

  /** Counts an execution that stands for `weight` of them. */
  count(scope: Scope, hostgroup: number, digest: StatementDigest, outcome: Outcome, weight: number, now: number): void {
    const row = this.#rowOf(scope, hostgroup, digest, now)
    const { latencyUs } = outcome
    row.count += weight
    row.lastSeen = now
    row.sumUs += weight * latencyUs
    if (latencyUs < row.minUs) row.minUs = latencyUs
    if (latencyUs > row.maxUs) row.maxUs = latencyUs
    row.rowsAffected += weight * outcome.rowsAffected
    row.rowsSent += weight * outcome.rowsSent
    if (outcome.failed) row.errors += weight
  }

  /** Rows that an execution which was counted before has sent since: those of its cursor. */
  countMoreRows(scope: Scope, hostgroup: number, digest: StatementDigest, rows: number, now: number): void {
    const row = this.#rowOf(scope, hostgroup, digest, now)
    row.rowsSent += rows
  }

  /**
   * All rows, as they are now or when they are come by. `reset`: counting begins anew at once, and nothing is counted in both.
   * @param nowMs monotonic, @param dateMs the same moment since 1970
   */
  *report(reset: boolean, nowMs: number, dateMs: number): Generator<DigestRow> {
    const rows = [...this.#rows]
    if (reset) this.#forgetAll()
    const dateOf = (ms: number): number => Math.round(dateMs - (nowMs - ms))
    for (const row of rows) {
      const { digest, place } = row
      const { user, schema, client } = place.scope
      yield {
        hostgroup: place.hostgroup,
        schema,
        user,
        client,
        digest: digest.hex,
        text: digest.text,
        count: row.count,
        firstSeen: dateOf(row.firstSeen),
        lastSeen: dateOf(row.lastSeen),
        sumUs: row.sumUs,
        minUs: row.count === 0 ? 0 : row.minUs,
        maxUs: row.maxUs,
        rowsAffected: row.rowsAffected,
        rowsSent: row.rowsSent,
        errors: row.errors,
      }
    }
  }

  #rowOf(scope: Scope, hostgroup: number, digest: StatementDigest, now: number): Row {
    const row = scope.places.get(hostgroup)?.rows.get(digest)
    if (row === undefined) return this.#add(scope, hostgroup, digest, now)
    row.met = true
    return row
  }

  #add(scope: Scope, hostgroup: number, digest: StatementDigest, now: number): Row {
    let place = scope.places.get(hostgroup)
    if (place === undefined) {
      place = { scope, hostgroup, rows: new Map() }
      scope.places.set(hostgroup, place)
    }
    const row = new Row(place, digest, now)
    place.rows.set(digest, row)
    this.#rows.add(row)
    this.#makeRoom()
    return row
  }

  #makeRoom(): void {
    while (this.#rows.size > this.#rowsMax) this.#advance()
  }

  /** One step of the hand: what was counted in since it came by last stays for another round. */
  #advance(): void {
    const { value, done } = this.#hand.next()
    if (done === true) this.#hand = this.#rows.values()
    else if (value.met) value.met = false
    else this.#evict(value)
  }

  #evict(row: Row): void {
    const { place, digest } = row
    const { scope, hostgroup, rows } = place
    this.#rows.delete(row)
    this.evictions++
    rows.delete(digest)
    if (rows.size === 0) scope.places.delete(hostgroup)
  }

  #forgetAll(): void {
    for (const { place } of this.#rows) place.scope.places.clear()
    this.#rows.clear()
    this.#hand = this.#rows.values()
  }
}
