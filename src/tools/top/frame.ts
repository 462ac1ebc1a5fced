import type { DigestReading, Reading, ServerReading, SessionReading } from './reading.js'

/** Two readings as what happened between them, per second. */
export interface Frame {
  readonly uptimeS: number
  /** Seconds between the readings; with one reading alone, since Sluice's start. */
  readonly intervalS: number
  readonly sinceStart: boolean
  readonly queriesPerS: number
  readonly bytesInPerS: number
  readonly bytesOutPerS: number
  readonly errorsPerS: number
  readonly newClientsPerS: number
  readonly sessionsTotal: number
  readonly sessionsBusy: number
  readonly servers: readonly ServerLine[]
  readonly digests: readonly DigestLine[]
  readonly sessions: readonly SessionReading[]
}

export interface ServerLine extends ServerReading {
  readonly queriesPerS: number
  /** Towards the server and back. */
  readonly bytesPerS: number
  readonly errorsPerS: number
}

export interface DigestLine extends DigestReading {
  /** Share of the time of all statements of the interval, 0 to 1. */
  readonly share: number
  /** Seconds of execution per second: how many of them ran at once, on average. */
  readonly load: number
  readonly callsPerS: number
  readonly averageUs: number
  /** Sent or affected, per execution. */
  readonly rowsPerCall: number
}

export const DIGEST_ORDERS = {
  time: (line: DigestLine) => line.load,
  calls: (line: DigestLine) => line.callsPerS,
  average: (line: DigestLine) => line.averageUs,
  max: (line: DigestLine) => line.maxUs,
  rows: (line: DigestLine) => line.rowsPerCall,
} as const

export type DigestOrder = keyof typeof DIGEST_ORDERS

/** @param before null: there is one reading only */
export function frameOf(before: Reading | null, now: Reading): Frame {
  // Another process answers now: its counters begin at 0.
  const since = before !== null && now.uptimeS >= before.uptimeS ? before : null
  const intervalS = since === null ? Math.max(1, now.uptimeS) : Math.max(0.001, (now.atMs - since.atMs) / 1000)
  const total = (name: string): number => grown(now.globals.get(name), since?.globals.get(name)) / intervalS
  const servers = serverLines(since, now, intervalS)
  return {
    uptimeS: now.uptimeS,
    intervalS,
    sinceStart: since === null,
    queriesPerS: total('Questions'),
    bytesInPerS: total('Queries_backends_bytes_sent'),
    bytesOutPerS: total('Queries_backends_bytes_recv'),
    errorsPerS: total('Sluice_Proxy_Errors'),
    newClientsPerS: total('Client_Connections_created'),
    sessionsTotal: now.sessionsTotal,
    sessionsBusy: now.sessionsBusy,
    servers,
    digests: digestLines(since, now, intervalS),
    sessions: now.sessions,
  }
}

function serverLines(before: Reading | null, now: Reading, intervalS: number): ServerLine[] {
  const known = new Map(before?.servers.map((one) => [`${one.hostgroup} ${one.server}`, one]))
  return now.servers.map((one) => {
    const was = known.get(`${one.hostgroup} ${one.server}`)
    const perS = (read: (server: ServerReading) => number): number =>
      grown(read(one), was === undefined ? undefined : read(was)) / intervalS
    return {
      ...one,
      queriesPerS: perS(({ queries }) => queries),
      bytesPerS: perS(({ bytesSent, bytesReceived }) => bytesSent + bytesReceived),
      errorsPerS: perS(({ errors }) => errors),
    }
  })
}

/** Only those that ran in the interval. */
function digestLines(before: Reading | null, now: Reading, intervalS: number): DigestLine[] {
  const known = new Map(before?.digests.map((one) => [digestKey(one), one]))
  const ran = now.digests.flatMap((one) => {
    const was = known.get(digestKey(one))
    // The statistics were emptied in between: what is there now is what ran since.
    const since = was !== undefined && was.count <= one.count ? was : undefined
    const calls = one.count - (since?.count ?? 0)
    if (calls <= 0) return []
    const us = grown(one.sumUs, since?.sumUs)
    const rows = grown(one.rowsSent + one.rowsAffected, since && since.rowsSent + since.rowsAffected)
    return [{ one, calls, us, rows }]
  })
  const allUs = ran.reduce((sum, { us }) => sum + us, 0)
  return ran.map(({ one, calls, us, rows }) => ({
    ...one,
    share: allUs === 0 ? 0 : us / allUs,
    load: us / 1e6 / intervalS,
    callsPerS: calls / intervalS,
    averageUs: us / calls,
    rowsPerCall: rows / calls,
  }))
}

/** The first lines in an order, greatest first; equal ones stay where they are from frame to frame. */
export function topDigests(lines: readonly DigestLine[], order: DigestOrder, count: number): DigestLine[] {
  const value = DIGEST_ORDERS[order]
  return [...lines].sort((a, b) => value(b) - value(a) || (digestKey(a) < digestKey(b) ? -1 : 1)).slice(0, count)
}

function digestKey({ hostgroup, schema, user, digest }: DigestReading): string {
  return JSON.stringify([hostgroup, schema, user, digest])
}

/** What a counter has grown by; one that is lower than before has begun anew. */
function grown(now: number | undefined, before: number | undefined): number {
  const value = now ?? 0
  return before === undefined || before > value ? value : value - before
}
