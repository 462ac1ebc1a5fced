import { monotonicMs } from '../../shared/clock.js'
import type { AdminAnswer } from '../admin-client.js'

/** What the admin port's tables said at one moment. Counters are since Sluice's start. */
export interface Reading {
  /** Monotonic milliseconds. */
  readonly atMs: number
  readonly uptimeS: number
  readonly globals: ReadonlyMap<string, number>
  readonly servers: readonly ServerReading[]
  readonly digests: readonly DigestReading[]
  /** Those that do something, longest first, then idle ones; bounded. */
  readonly sessions: readonly SessionReading[]
  readonly sessionsTotal: number
  readonly sessionsBusy: number
}

export interface ServerReading {
  readonly hostgroup: string
  readonly server: string
  readonly role: string
  readonly status: string
  /** Why it is not ONLINE, or why its lag is not known; empty when there is nothing to say. */
  readonly reason: string
  /** null: not known. */
  readonly lagMs: number | null
  readonly used: number
  readonly free: number
  readonly errors: number
  readonly queries: number
  readonly bytesSent: number
  readonly bytesReceived: number
}

export interface DigestReading {
  readonly hostgroup: string
  readonly schema: string
  readonly user: string
  readonly digest: string
  readonly count: number
  /** Microseconds. */
  readonly sumUs: number
  /** The slowest one since the statistics began. */
  readonly maxUs: number
  readonly rowsSent: number
  readonly rowsAffected: number
}

export interface SessionReading {
  readonly id: string
  readonly user: string
  readonly schema: string
  readonly client: string
  readonly hostgroup: string
  /** `host:port`; empty: it has no connection to one. */
  readonly server: string
  readonly command: string
  readonly timeMs: number
  readonly info: string
}

export interface Source {
  query(sql: string): Promise<AdminAnswer>
}

const SESSIONS_MAX = 200

const POOL = `SELECT hostgroup, srv_host, srv_port, status, ConnUsed, ConnFree, ConnERR, Queries, Bytes_data_sent,
 Bytes_data_recv FROM stats_mysql_connection_pool`
const DIGESTS = `SELECT hostgroup, schemaname, username, digest, sum(count_star) AS count_star, sum(sum_time) AS sum_time,
 max(max_time) AS max_time, sum(sum_rows_sent) AS rows_sent, sum(sum_rows_affected) AS rows_affected
 FROM stats_mysql_query_digest GROUP BY hostgroup, schemaname, username, digest`
const SESSIONS = `SELECT SessionID, user, db, cli_host, cli_port, hostgroup, srv_host, srv_port, command, time_ms, info,
 count(*) OVER () AS total, sum(command <> 'Sleep') OVER () AS busy
 FROM stats_mysql_processlist ORDER BY command = 'Sleep', time_ms + 0 DESC LIMIT ${SESSIONS_MAX}`
const GLOBALS = 'SELECT Variable_Name, Variable_Value FROM stats_mysql_global'

/** One reading of everything; the account needs no more than to read statistics. Rejects as `AdminClient.query`. */
export async function takeReading(source: Source): Promise<Reading> {
  const pool = await rowsOf(source, POOL)
  const topology = await rowsOf(source, 'SHOW TOPOLOGY')
  const digests = await rowsOf(source, DIGESTS)
  const sessions = await rowsOf(source, SESSIONS)
  const globals = new Map(
    (await rowsOf(source, GLOBALS)).map((row) => [row['Variable_Name'], Number(row['Variable_Value'])]),
  )
  return {
    atMs: monotonicMs(),
    uptimeS: globals.get('ProxySQL_Uptime') ?? 0,
    globals,
    servers: joinServers(pool, topology),
    digests: digests.map(readDigest),
    sessions: sessions.map(readSession),
    sessionsTotal: Number(sessions.at(0)?.['total'] ?? 0),
    sessionsBusy: Number(sessions.at(0)?.['busy'] ?? 0),
  }
}

/** Texts of digests, which are read only for those that are shown. */
export async function readDigestTexts(source: Source, digests: readonly string[]): Promise<Map<string, string>> {
  if (digests.length === 0) return new Map()
  const list = digests.map((digest) => `'${digest.replaceAll("'", "''")}'`).join(', ')
  const rows = await rowsOf(
    source,
    `SELECT DISTINCT digest, digest_text FROM stats_mysql_query_digest WHERE digest IN (${list})`,
  )
  return new Map(rows.map((row) => [row['digest'], row['digest_text']]))
}

type Row = Readonly<Record<string, string>>

async function rowsOf(source: Source, sql: string): Promise<Row[]> {
  const answer = await source.query(sql)
  if (answer.kind !== 'rows') return []
  return answer.rows.map((row) => Object.fromEntries(answer.columns.map((name, index) => [name, row[index] ?? ''])))
}

/** The pool has the figures, the topology knows roles, lag and reasons. */
function joinServers(pool: readonly Row[], topology: readonly Row[]): ServerReading[] {
  const known = new Map(topology.map((row) => [`${row['hostgroup']} ${row['server']}`, row]))
  return pool.map((row) => {
    const server = hostPort(row['srv_host'], row['srv_port'])
    const now = known.get(`${row['hostgroup']} ${server}`)
    const lag = now?.['lag_ms'] ?? ''
    return {
      hostgroup: row['hostgroup'],
      server,
      role: now?.['role'] ?? '',
      status: row['status'],
      reason: now?.['status_reason'] || now?.['lag_reason'] || '',
      lagMs: lag === '' ? null : Number(lag),
      used: Number(row['ConnUsed']),
      free: Number(row['ConnFree']),
      errors: Number(row['ConnERR']),
      queries: Number(row['Queries']),
      bytesSent: Number(row['Bytes_data_sent']),
      bytesReceived: Number(row['Bytes_data_recv']),
    }
  })
}

function readDigest(row: Row): DigestReading {
  return {
    hostgroup: row['hostgroup'],
    schema: row['schemaname'],
    user: row['username'],
    digest: row['digest'],
    count: Number(row['count_star']),
    sumUs: Number(row['sum_time']),
    maxUs: Number(row['max_time']),
    rowsSent: Number(row['rows_sent']),
    rowsAffected: Number(row['rows_affected']),
  }
}

function readSession(row: Row): SessionReading {
  const hasServer = (row['srv_host'] ?? '') !== ''
  return {
    id: row['SessionID'],
    user: row['user'],
    schema: row['db'],
    client: hostPort(row['cli_host'], row['cli_port']),
    hostgroup: hasServer ? row['hostgroup'] : '',
    server: hasServer ? hostPort(row['srv_host'], row['srv_port']) : '',
    command: row['command'],
    timeMs: Number(row['time_ms']),
    info: row['info'],
  }
}

/** Port 0 or none: the host is the path of a socket. */
function hostPort(host: string, port: string): string {
  if (port === '' || port === '0') return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
