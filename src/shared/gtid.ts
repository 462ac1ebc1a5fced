import type { Flavor } from './snapshot.js'

/**
 * GTID sets of MySQL and positions of MariaDB, as values that can be compared quickly.
 *
 * MySQL: `UUID:1-5:7:tag:1-3, UUID:...` (manual, "GTID Format and Storage"; tags since 8.3). UUIDs and tags are not
 * case-sensitive; a tag holds for the intervals after it, up to the next tag or UUID.
 * MariaDB: `domain-server-sequence, ...`, the last transaction of each domain (knowledge base, "Global Transaction ID").
 * Within a domain order is fixed, so a position contains every transaction of the same server with a sequence number up to its
 * own. Of another server's it may contain those with lower numbers, or not: a failover that loses transactions leaves servers
 * behind that count on from the lost ones, while the new primary gives the same numbers to others.
 *
 * Numbers above 2^53 - 1 (a server allows up to 2^63 - 2) are refused with a RangeError: no server reaches them by
 * committing, and doubles are several times faster than big integers.
 */
export type GtidSet = MysqlGtidSet | MariadbPosition

export interface MysqlGtidSet {
  readonly flavor: 'mysql'
  /** By `uuid` or `uuid:tag` in lower case: first, last, first, last ... in ascending order, never touching. */
  readonly intervals: Map<string, number[]>
}

export interface MariadbPosition {
  readonly flavor: 'mariadb'
  readonly domains: Map<number, { server: number; sequence: number }>
}

export function newGtidSet(flavor: Flavor): GtidSet {
  return flavor === 'mysql' ? { flavor, intervals: new Map() } : { flavor, domains: new Map() }
}

/** Throws a RangeError that names the position when the text is no GTID set of that flavor. Empty text is the empty set. */
export function parseGtidSet(text: string, flavor: Flavor): GtidSet {
  const set = newGtidSet(flavor)
  addGtids(set, text)
  return set
}

/** Adds what `text` holds (one GTID, or a set) to `set` itself. Throws as `parseGtidSet`; `set` may then be half changed. */
export function addGtids(set: GtidSet, text: string): void {
  if (set.flavor === 'mysql') addMysql(set.intervals, text)
  else addMariadb(set.domains, text)
}

/**
 * Adds as `addGtids` does, unless it is not known which of two transactions comes after the other (MariaDB: they are of
 * different servers in one domain).
 * @returns false: nothing was added
 */
export function addGtidsInOrder(set: GtidSet, text: string): boolean {
  if (set.flavor === 'mysql') {
    addMysql(set.intervals, text)
    return true
  }
  const added = new Map<number, { server: number; sequence: number }>()
  addMariadb(added, text)
  for (const [domain, { server }] of added) if ((set.domains.get(domain)?.server ?? server) !== server) return false
  for (const [domain, at] of added) {
    if ((set.domains.get(domain)?.sequence ?? -1) < at.sequence) set.domains.set(domain, at)
  }
  return true
}

/**
 * Whether every transaction of `inner` is sure to be in `outer`. Sets of different flavors contain each other only when `inner`
 * is empty.
 */
export function gtidSetContains(outer: GtidSet, inner: GtidSet): boolean {
  if (outer.flavor === 'mysql' && inner.flavor === 'mysql') {
    for (const [source, needed] of inner.intervals) {
      const held = outer.intervals.get(source)
      if (held === undefined || !holdsAll(held, needed)) return false
    }
    return true
  }
  if (outer.flavor === 'mariadb' && inner.flavor === 'mariadb') {
    for (const [domain, { server, sequence }] of inner.domains) {
      const held = outer.domains.get(domain)
      if (held === undefined || held.server !== server || held.sequence < sequence) return false
    }
    return true
  }
  return gtidSetIsEmpty(inner)
}

/** Whether a server that had `earlier` can have come to `later` by executing transactions, without having lost any. */
export function gtidSetFollows(later: GtidSet, earlier: GtidSet): boolean {
  if (later.flavor !== 'mariadb' || earlier.flavor !== 'mariadb') return gtidSetContains(later, earlier)
  for (const [domain, { server, sequence }] of earlier.domains) {
    const held = later.domains.get(domain)
    if (held === undefined || held.sequence < sequence) return false
    if (held.sequence === sequence && held.server !== server) return false
  }
  return true
}

export function gtidSetIsEmpty(set: GtidSet): boolean {
  return (set.flavor === 'mysql' ? set.intervals.size : set.domains.size) === 0
}

/** Whether a MySQL set holds transaction `number` of `uuid` (any case) under `tag` (empty: untagged). */
export function containsGtid(set: MysqlGtidSet, uuid: string, tag: string, number: number): boolean {
  const held = set.intervals.get(sourceKey(uuid, tag))
  return held !== undefined && indexOfHolder(held, number) >= 0
}

/** The set as text in a fixed order, without blanks, as servers accept it. */
export function formatGtidSet(set: GtidSet): string {
  if (set.flavor === 'mariadb') {
    const domains = [...set.domains].sort((a, b) => a[0] - b[0])
    return domains.map(([domain, at]) => `${domain}-${at.server}-${at.sequence}`).join(',')
  }
  const sources = [...set.intervals].sort((a, b) => (a[0] < b[0] ? -1 : 1))
  return sources.map(([source, flat]) => `${source}:${formatIntervals(flat)}`).join(',')
}

function formatIntervals(flat: readonly number[]): string {
  const parts: string[] = []
  for (let i = 0; i < flat.length; i += 2)
    parts.push(flat[i] === flat[i + 1] ? `${flat[i]}` : `${flat[i]}-${flat[i + 1]}`)
  return parts.join(':')
}

function sourceKey(uuid: string, tag: string): string {
  return tag === '' ? uuid.toLowerCase() : `${uuid}:${tag}`.toLowerCase()
}

/** Index of the interval's first number in `flat` that holds `number`, or -1. */
function indexOfHolder(flat: readonly number[], number: number): number {
  let low = 0
  let high = flat.length / 2 - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    if (number < flat[2 * middle]) high = middle - 1
    else if (number > flat[2 * middle + 1]) low = middle + 1
    else return 2 * middle
  }
  return -1
}

/** Intervals never touch, so one interval of `held` must hold each of `needed` whole. */
function holdsAll(held: readonly number[], needed: readonly number[]): boolean {
  for (let i = 0; i < needed.length; i += 2) {
    const at = indexOfHolder(held, needed[i])
    if (at < 0 || held[at + 1] < needed[i + 1]) return false
  }
  return true
}

/** Puts one interval into an ordered list, joining what it touches. */
function insertInterval(flat: number[], first: number, last: number): void {
  const end = flat.length
  // Nearly always a server's next transaction, or the next interval of an ordered text.
  if (end === 0 || first > flat[end - 1] + 1) {
    flat.push(first, last)
    return
  }
  let from = 0
  while (flat[from + 1] + 1 < first) from += 2
  let to = from
  while (to < end && flat[to] <= last + 1) {
    first = Math.min(first, flat[to])
    last = Math.max(last, flat[to + 1])
    to += 2
  }
  flat.splice(from, to - from, first, last)
}

const UUID_LENGTH = 36
const TAG_LENGTH_MAX = 32

const COLON = 0x3a
const COMMA = 0x2c
const DASH = 0x2d

function addMysql(into: Map<string, number[]>, text: string): void {
  const scan = new Scanner(text)
  for (scan.skipBlanks(); !scan.atEnd(); scan.skipBlanks()) {
    if (scan.take(COMMA)) continue
    const uuid = scan.uuid()
    let source = uuid
    let flat = into.get(source)
    scan.skipBlanks()
    if (!scan.take(COLON)) scan.fail('":" after the UUID')
    do {
      scan.skipBlanks()
      if (scan.atTag()) {
        source = `${uuid}:${scan.tag()}`
        flat = into.get(source)
      } else {
        const first = scan.number()
        scan.skipBlanks()
        const ranged = scan.take(DASH)
        if (ranged) scan.skipBlanks()
        const last = ranged ? scan.number() : first
        // As the server does, an interval that ends before it begins is empty.
        if (first <= last) {
          if (flat === undefined) {
            flat = []
            into.set(source, flat)
          }
          insertInterval(flat, first, last)
        }
      }
      scan.skipBlanks()
    } while (scan.take(COLON))
    if (!scan.atEnd() && !scan.take(COMMA)) scan.fail('"," or the end')
  }
}

function addMariadb(into: Map<number, { server: number; sequence: number }>, text: string): void {
  const scan = new Scanner(text)
  for (scan.skipBlanks(); !scan.atEnd(); scan.skipBlanks()) {
    const domain = scan.number()
    if (!scan.take(DASH)) scan.fail('"-" after the domain')
    const server = scan.number()
    if (!scan.take(DASH)) scan.fail('"-" after the server id')
    const sequence = scan.number()
    const held = into.get(domain)
    if (held === undefined || held.sequence < sequence) into.set(domain, { server, sequence })
    scan.skipBlanks()
    if (!scan.atEnd() && !scan.take(COMMA)) scan.fail('"," or the end')
  }
}

class Scanner {
  private at = 0
  private readonly text: string

  constructor(text: string) {
    this.text = text
  }

  atEnd(): boolean {
    return this.at >= this.text.length
  }

  skipBlanks(): void {
    while (this.at < this.text.length && this.text.charCodeAt(this.at) <= 0x20) this.at++
  }

  take(code: number): boolean {
    if (this.text.charCodeAt(this.at) !== code) return false
    this.at++
    return true
  }

  number(): number {
    const start = this.at
    let value = 0
    while (isDigit(this.text.charCodeAt(this.at))) {
      value = value * 10 + this.text.charCodeAt(this.at) - 0x30
      this.at++
    }
    if (this.at === start) this.fail('a number')
    if (value > Number.MAX_SAFE_INTEGER) this.fail('a number below 2^53', start)
    return value
  }

  uuid(): string {
    const uuid = this.text.slice(this.at, this.at + UUID_LENGTH).toLowerCase()
    for (let i = 0; i < UUID_LENGTH; i++) {
      const dash = i === 8 || i === 13 || i === 18 || i === 23
      const code = uuid.charCodeAt(i)
      if (dash ? code !== DASH : !isHexDigit(code)) this.fail('a UUID')
    }
    this.at += UUID_LENGTH
    return uuid
  }

  atTag(): boolean {
    return isTagStart(this.text.charCodeAt(this.at))
  }

  tag(): string {
    const start = this.at
    while (isTagStart(this.text.charCodeAt(this.at)) || isDigit(this.text.charCodeAt(this.at))) this.at++
    if (this.at - start > TAG_LENGTH_MAX) this.fail('a tag of at most 32 characters', start)
    return this.text.slice(start, this.at).toLowerCase()
  }

  fail(expected: string, at = this.at): never {
    throw new RangeError(`GTID set: expected ${expected} at position ${at}, found "${this.text.slice(at, at + 20)}"`)
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

function isHexDigit(code: number): boolean {
  return isDigit(code) || (code >= 0x61 && code <= 0x66)
}

function isTagStart(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f
}
