/**
 * What a statement's digest costs a worker: finding the one object that stands for all statements like it. Run it after a
 * build: `node dist/bench/micro/digests.js`.
 */
import { DEFAULT_DIGESTS } from '../../src/shared/snapshot.js'
import { type ClassifyOptions, Digester, EMPTY_CATALOGUE } from '../../src/sql/index.js'
import { DigestStatistics } from '../../src/worker/statistics/digest-statistics.js'
import { Digests } from '../../src/worker/statistics/digests.js'
import { runMicro } from './harness.js'

const OPTIONS: ClassifyOptions = {
  flavor: 'mysql',
  ansiQuotes: false,
  noBackslashEscapes: false,
  truncated: false,
  schema: 'sbtest',
  catalogue: EMPTY_CATALOGUE,
}
/** Statements that a worker has met, among which one is found. */
const MET = 5_000

const digests = new Digests(DEFAULT_DIGESTS, Math.random)
const digester = new Digester()
const point = Buffer.from('SELECT c FROM sbtest1 WHERE id=50123')
const join = Buffer.from(
  'SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id ' +
    "WHERE o.created_at > '2024-01-01' AND c.country IN ('DE', 'FR') ORDER BY o.total DESC LIMIT 50",
)
const met = Array.from({ length: MET }, (_, i) => Buffer.from(`SELECT c FROM t${i} WHERE id=${i}`))
let at = 0

const find = (text: Buffer): number => digests.of(text, 0, text.length, OPTIONS, false).low
const fresh = (): number => {
  const text = Buffer.from(`SELECT c FROM fresh${at++} WHERE id=1`)
  return find(text)
}

const statistics = new DigestStatistics(DEFAULT_DIGESTS.maxEntries)
const scope = statistics.scopeOf(null, 'app', 'shop', '')
const counted = met.map((text) => digests.of(text, 0, text.length, OPTIONS, false))
const outcome = { latencyUs: 120, rowsAffected: 0, rowsSent: 1, failed: false }
const count = (one: number): number => {
  statistics.count(scope, 1, counted[one] as (typeof counted)[number], outcome, 1, at++)
  return at
}

runMicro('digests', [
  { name: 'hash of a point select', operations: 1, run: () => digester.digest(point, 0, point.length, OPTIONS).low },
  { name: 'digest of a point select', operations: 1, run: () => find(point) },
  { name: 'digest of a join', operations: 1, run: () => find(join) },
  { name: `digest of one of ${MET} statements`, operations: 1, run: () => find(met[at++ % MET] as Buffer) },
  { name: 'counting an execution', operations: 1, run: () => count(0) },
  { name: `counting an execution of one of ${MET} statements`, operations: 1, run: () => count(at % MET) },
  { name: 'digest that was not met before, its text included', operations: 1, run: fresh },
])
