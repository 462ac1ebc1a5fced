import type { DigestRow, ErrorRow } from '../../shared/worker-tables.js'

/** Rows of several workers as one for each place and digest. */
export function mergeDigests(rows: readonly DigestRow[]): DigestRow[] {
  return merge(
    rows,
    ({ hostgroup, schema, user, client, digest }) => [hostgroup, digest, schema, user, client],
    addDigest,
  )
}

function addDigest(a: DigestRow, b: DigestRow): DigestRow {
  // A row in which only rows of a cursor were counted has no execution that took a shortest time.
  const [least, other] = a.count === 0 ? [b, b] : b.count === 0 ? [a, a] : [a, b]
  return {
    ...a,
    count: a.count + b.count,
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
    lastSeen: Math.max(a.lastSeen, b.lastSeen),
    sumUs: a.sumUs + b.sumUs,
    minUs: Math.min(least.minUs, other.minUs),
    maxUs: Math.max(a.maxUs, b.maxUs),
    rowsAffected: a.rowsAffected + b.rowsAffected,
    rowsSent: a.rowsSent + b.rowsSent,
    errors: a.errors + b.errors,
  }
}

/** Rows of several workers as one for each server, account, schema and number of an error. */
export function mergeErrors(rows: readonly ErrorRow[]): ErrorRow[] {
  return merge(
    rows,
    ({ hostgroup, server, user, client, schema, errno }) => [hostgroup, server, errno, user, client, schema],
    addError,
  )
}

function addError(a: ErrorRow, b: ErrorRow): ErrorRow {
  return {
    ...(a.lastSeen > b.lastSeen ? a : b),
    count: a.count + b.count,
    firstSeen: Math.min(a.firstSeen, b.firstSeen),
  }
}

function merge<T>(rows: readonly T[], keyOf: (row: T) => (string | number)[], add: (a: T, b: T) => T): T[] {
  const merged = new Map<string, T>()
  for (const row of rows) {
    const key = keyOf(row).join('\0')
    const known = merged.get(key)
    merged.set(key, known === undefined ? row : add(known, row))
  }
  return [...merged.values()]
}
