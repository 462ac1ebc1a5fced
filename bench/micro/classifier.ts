/**
 * What classifying and digesting a statement costs. Run it after a build: `node dist/bench/micro/classifier.js [seconds]`.
 * Prints nanoseconds of CPU time per statement, which a busy machine disturbs less than the time on the wall: the median
 * of several rounds, and the fastest.
 */
import { Classifier, type ClassifyOptions, Digester, EMPTY_CATALOGUE } from '../../src/sql/index.js'

const OPTIONS: ClassifyOptions = {
  flavor: 'mysql',
  ansiQuotes: false,
  noBackslashEscapes: false,
  truncated: false,
  schema: 'sbtest',
  catalogue: EMPTY_CATALOGUE,
}

const LONG_IN_LIST = Array.from({ length: 100 }, (_, i) => 1000 + i * 7).join(', ')
const ROWS = Array.from({ length: 100 }, (_, i) => `(${i}, 'name ${i}', NOW())`).join(', ')

const STATEMENTS: Record<string, string> = {
  'point select': 'SELECT c FROM sbtest1 WHERE id=50123',
  'range select': 'SELECT SUM(k) FROM sbtest1 WHERE id BETWEEN 50123 AND 50222',
  update: 'UPDATE sbtest1 SET k=k+1 WHERE id=50123',
  insert: "INSERT INTO sbtest1 (id, k, c, pad) VALUES (50123, 4242, 'some text', 'some more text')",
  begin: 'BEGIN',
  'set names': 'SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci',
  join:
    'SELECT o.id, o.total, c.name, COUNT(*) AS items FROM orders o JOIN customers c ON c.id = o.customer_id ' +
    "LEFT JOIN items i ON i.order_id = o.id WHERE o.created_at > '2024-01-01' AND c.country IN ('DE', 'FR') " +
    'GROUP BY o.id, o.total, c.name ORDER BY o.total DESC LIMIT 50',
  'hinted select': '/* sluice: primary */ SELECT c FROM sbtest1 WHERE id=50123',
  'IN of 100': `SELECT c FROM sbtest1 WHERE id IN (${LONG_IN_LIST})`,
  'insert of 100 rows': `INSERT INTO t (a, b, c) VALUES ${ROWS}`,
}

const ROUNDS = 9

/** Nanoseconds of CPU time per call: median and minimum over rounds of `roundMs` milliseconds each. */
function measure(call: () => void, roundMs: number): { median: number; fastest: number } {
  let batch = 64
  const rounds: number[] = []
  while (rounds.length < ROUNDS + 1) {
    const start = process.cpuUsage()
    for (let i = 0; i < batch; i++) call()
    const used = process.cpuUsage(start)
    const elapsed = (used.user + used.system) * 1000
    if (elapsed < roundMs * 1e6) batch *= 2
    else rounds.push(elapsed / batch)
  }
  // The first round may still hold compilation.
  const sorted = rounds.slice(1).sort((a, b) => a - b)
  return { median: sorted[sorted.length >> 1] as number, fastest: sorted[0] as number }
}

const seconds = Number(process.argv[2] ?? 5)
const roundMs = (seconds * 1000) / (Object.keys(STATEMENTS).length * 2 * (ROUNDS + 3))
const classifier = new Classifier()
const digester = new Digester()
// One pass over everything first: a worker sees all shapes, so the code must not be measured specialised on one.
const buffers = Object.values(STATEMENTS).map((text) => Buffer.from(text))
for (let i = 0; i < 2000; i++) {
  for (const buffer of buffers) {
    classifier.classify(buffer, 0, buffer.length, OPTIONS)
    digester.digest(buffer, 0, buffer.length, OPTIONS)
  }
}

console.log('statement            bytes   classify ns (fastest)     digest ns (fastest)')
for (const [name, text] of Object.entries(STATEMENTS)) {
  const buffer = Buffer.from(text)
  const classify = measure(() => classifier.classify(buffer, 0, buffer.length, OPTIONS), roundMs)
  const digest = measure(() => digester.digest(buffer, 0, buffer.length, OPTIONS), roundMs)
  const cell = (m: { median: number; fastest: number }): string =>
    `${m.median.toFixed(0).padStart(10)} (${m.fastest.toFixed(0)})`.padEnd(24)
  console.log(`${name.padEnd(20)} ${String(buffer.length).padStart(5)} ${cell(classify)} ${cell(digest)}`)
}
