import { QUERY_CLASSES, type ServerCounters } from '../../../shared/counters.js'
import type { ControlView } from '../../view.js'
import { hostAndPort } from './server-id.js'
import type { Rows } from './source.js'

export const POOL_COLUMNS = [
  'hostgroup',
  'srv_host',
  'srv_port',
  'status',
  'ConnUsed',
  'ConnFree',
  'ConnOK',
  'ConnERR',
  'MaxConnUsed',
  'Queries',
  'Queries_GTID_sync',
  'Bytes_data_sent',
  'Bytes_data_recv',
  'Latency_us',
] as const

/** What a reset sets back to 0. The highest `ConnUsed` is not among them: the workers keep it. */
interface Totals {
  readonly connOk: number
  readonly connErr: number
  readonly queries: number
  readonly synced: number
  readonly sent: number
  readonly received: number
}

const NONE: Totals = { connOk: 0, connErr: 0, queries: 0, synced: 0, sent: 0, received: 0 }

/** Totals at the last reset, by server and hostgroup. Workers count on: metrics must not go down for a reader of this table. */
const baselines = new WeakMap<ControlView, ReadonlyMap<string, Totals>>()

/**
 * One row per server and hostgroup of the runtime. A server that has left the runtime keeps its row as OFFLINE_HARD while
 * connections to it are open, as ProxySQL shows it.
 */
export function readPool(view: ControlView): Rows {
  const counters = new Map(view.counters().servers.map((one) => [keyOf(one.server, one.hostgroup), one]))
  const baseline = baselines.get(view)
  const row = (hostgroup: number, host: string, port: number, status: string, key: string) => {
    const now = counters.get(key)
    counters.delete(key)
    const latencyUs = view.monitorLog().latencyUs(key.slice(key.indexOf(' ') + 1))
    return [hostgroup, host, port, status, ...figures(now, baseline?.get(key) ?? NONE), latencyUs]
  }
  const rows = view
    .snapshot()
    .servers.map((one) => row(one.hostgroup, one.host, one.port, one.status, keyOf(one.id, one.hostgroup)))
  const leaving = [...counters].filter(([, one]) => one.connUsed + one.connFree > 0)
  const departed = leaving.map(([key, one]) => row(one.hostgroup, ...hostAndPort(one.server), 'OFFLINE_HARD', key))
  return [...rows, ...departed]
}

/** The same rows; both tables begin again from 0 after it. */
export function resetPool(view: ControlView): Rows {
  const rows = readPool(view)
  baselines.set(view, new Map(view.counters().servers.map((one) => [keyOf(one.server, one.hostgroup), totalsOf(one)])))
  return rows
}

function figures(now: ServerCounters | undefined, since: Totals): number[] {
  if (now === undefined) return POOL_COLUMNS.slice(4, -1).map(() => 0)
  const { connOk, connErr, queries, synced, sent, received } = totalsOf(now)
  const connections = [now.connUsed, now.connFree, connOk - since.connOk, connErr - since.connErr, now.maxConnUsed]
  return [...connections, queries - since.queries, synced - since.synced, sent - since.sent, received - since.received]
}

function totalsOf(counted: ServerCounters): Totals {
  return {
    connOk: counted.connOk,
    connErr: counted.connErr,
    queries: QUERY_CLASSES.reduce((sum, name) => sum + counted.byClass[name].queries, 0),
    synced: counted.queriesGtidSync,
    sent: counted.bytesSent,
    received: counted.bytesReceived,
  }
}

function keyOf(server: string, hostgroup: number): string {
  return `${hostgroup} ${server}`
}
