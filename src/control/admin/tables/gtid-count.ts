/**
 * Number of transactions in a server's position: the sum of the intervals of a MySQL GTID set (`uuid:1-5:7, ...`), the sum
 * of the sequence numbers of a MariaDB position (`domain-server-sequence, ...`).
 */
export function transactionsIn(position: string): number {
  let count = 0
  for (const source of position.split(',')) {
    const [first, ...intervals] = source.trim().split(':')
    const mariadb = /^\d+-\d+-(\d+)$/.exec(first)
    if (mariadb !== null) count += Number(mariadb[1])
    for (const interval of intervals) count += lengthOf(interval)
  }
  return count
}

/** A part of a set that is no interval is a tag, which counts nothing. */
function lengthOf(interval: string): number {
  const match = /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(interval)
  if (match === null) return 0
  const first = Number(match[1])
  return Number(match[2] ?? first) - first + 1
}
