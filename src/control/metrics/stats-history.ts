import type { ServerCounters, WorkerCounters } from '../../shared/counters.js'

/** One sample a minute for a day, and one an hour for a month. */
const MINUTE_MS = 60_000
const HOUR_S = 3600
const MINUTES_MAX = 24 * 60
const HOURS_MAX = 31 * 24

/** What is remembered of one moment. Counts are totals since the start but for what is connected. */
export interface HistorySample {
  /** Seconds since 1970. */
  readonly timestamp: number
  /** CPU time of all processes since the start, in hundredths of a second. */
  readonly userTicks: number
  readonly systemTicks: number
  readonly clientsAborted: number
  readonly clientsConnected: number
  readonly clientsCreated: number
  readonly serversAborted: number
  readonly serversConnected: number
  readonly serversCreated: number
  readonly questions: number
  readonly slowQueries: number
  readonly gtidConsistentQueries: number
}

/** Keeps samples of the counters, so that it can be seen how they were. */
export class StatsHistory {
  readonly minutes: HistorySample[] = []
  readonly hours: HistorySample[] = []
  private readonly counters: () => WorkerCounters
  private readonly timer: NodeJS.Timeout

  constructor(counters: () => WorkerCounters) {
    this.counters = counters
    this.timer = setInterval(() => this.take(Date.now()), MINUTE_MS)
    this.timer.unref()
  }

  /** Takes a sample. @param dateMs milliseconds since 1970 */
  take(dateMs: number): void {
    const sample = sampleOf(this.counters(), process.cpuUsage(), Math.floor(dateMs / 1000))
    keep(this.minutes, sample, MINUTES_MAX)
    const timestamp = Math.floor(sample.timestamp / HOUR_S) * HOUR_S
    if (this.hours.at(-1)?.timestamp === timestamp) this.hours.pop()
    keep(this.hours, { ...sample, timestamp }, HOURS_MAX)
  }

  stop(): void {
    clearInterval(this.timer)
  }
}

function keep(list: HistorySample[], sample: HistorySample, max: number): void {
  list.push(sample)
  if (list.length > max) list.shift()
}

function sampleOf(counters: WorkerCounters, control: NodeJS.CpuUsage, timestamp: number): HistorySample {
  const { global, servers, cpuUs, cpuSystemUs = 0 } = counters
  const sum = (read: (server: ServerCounters) => number): number => servers.reduce((all, one) => all + read(one), 0)
  return {
    timestamp,
    userTicks: Math.round((control.user + cpuUs - cpuSystemUs) / 10_000),
    systemTicks: Math.round((control.system + cpuSystemUs) / 10_000),
    clientsAborted: global.clientConnectionsAborted,
    clientsConnected: global.clientConnectionsConnected,
    clientsCreated: global.clientConnectionsCreated,
    serversAborted: sum((server) => server.connErr),
    serversConnected: sum((server) => server.connUsed + server.connFree),
    serversCreated: sum((server) => server.connOk),
    questions: global.questions,
    slowQueries: global.slowQueries,
    gtidConsistentQueries: sum((server) => server.queriesGtidSync),
  }
}
