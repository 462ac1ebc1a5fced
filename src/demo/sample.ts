/** What the demo shows of one server, from two readings of the proxy's metrics. */
export interface ServerSample {
  readonly server: string
  readonly name: string
  readonly role: 'primary' | 'replica' | 'offline'
  readonly status: string
  /** null: not known. */
  readonly lagMs: number | null
  /** Per second since the reading before. */
  readonly readsPerS: number
  readonly writesPerS: number
  /** Mean over the statements since the reading before; null: there were none. */
  readonly latencyMs: number | null
  /** Since the start. */
  readonly reads: number
  readonly writes: number
}

/** Values of one reading of /metrics, by `name{labels}` as it is written there. */
export type Reading = ReadonlyMap<string, number>

export async function readMetrics(port: number): Promise<Reading> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`)
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
  const values = new Map<string, number>()
  for (const line of (await response.text()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const blank = line.lastIndexOf(' ')
    values.set(line.slice(0, blank), Number(line.slice(blank + 1)))
  }
  return values
}

/** Sums the values of a metric whose labels contain all of `labels`. */
function sum(reading: Reading, name: string, labels: Readonly<Record<string, string>>): number {
  let total = 0
  for (const [key, value] of reading) if (matches(key, name, labels)) total += value
  return total
}

function first(reading: Reading, name: string, labels: Readonly<Record<string, string>>): number | null {
  for (const [key, value] of reading) if (matches(key, name, labels)) return value
  return null
}

function matches(key: string, name: string, labels: Readonly<Record<string, string>>): boolean {
  if (!key.startsWith(`${name}{`) && key !== name) return false
  return Object.entries(labels).every(([label, value]) => key.includes(`${label}="${value}"`))
}

/** Statements that the view counts as writes: everything that is not a read or about the session. */
const WRITES = ['write', 'transaction']

export function sampleServer(
  server: string,
  name: string,
  now: Reading,
  before: Reading,
  elapsedS: number,
): ServerSample {
  const count = (reading: Reading, classes: readonly string[]): number =>
    classes.reduce((total, one) => total + sum(reading, 'sluice_queries_total', { server, class: one }), 0)
  const reads = count(now, ['read'])
  const writes = count(now, WRITES)
  const timed = (reading: Reading, part: string): number =>
    ['read', ...WRITES].reduce(
      (total, one) => total + sum(reading, `sluice_query_duration_seconds_${part}`, { server, class: one }),
      0,
    )
  const answered = timed(now, 'count') - timed(before, 'count')
  const seconds = timed(now, 'sum') - timed(before, 'sum')
  const lag = first(now, 'sluice_replication_lag_seconds', { server })
  return {
    server,
    name,
    ...roleAndStatus(server, now),
    lagMs: lag === null ? null : Math.round(lag * 1000),
    readsPerS: Math.round((reads - count(before, ['read'])) / elapsedS),
    writesPerS: Math.round((writes - count(before, WRITES)) / elapsedS),
    latencyMs: answered === 0 ? null : (seconds / answered) * 1000,
    reads,
    writes,
  }
}

function roleAndStatus(server: string, reading: Reading): Pick<ServerSample, 'role' | 'status'> {
  let role: ServerSample['role'] = 'offline'
  let status = 'unknown'
  for (const [key, value] of reading) {
    if (value !== 1 || !matches(key, 'sluice_server_status', { server })) continue
    role = key.includes('hostgroup="0"') ? 'primary' : 'replica'
    status = /status="([A-Z_]+)"/.exec(key)?.[1] ?? status
  }
  return { role, status }
}
