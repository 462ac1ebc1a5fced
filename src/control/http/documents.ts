import { QUERY_CLASSES } from '../../shared/counters.js'
import { describeServers } from '../topology/server-descriptions.js'
import type { ControlView } from '../view.js'

const EVENTS_SHOWN_MAX = 100

/** The answer of GET /v1/topology. */
export function topologyDocument(view: ControlView): unknown {
  const { version, replicationHostgroups } = view.snapshot()
  const servers = describeServers(view)
  const { ready, reason } = view.ready()
  return {
    version,
    ready,
    reason,
    pairs: replicationHostgroups.map((pair) => {
      const holder = servers.find(({ entry }) => entry.hostgroup === pair.writer)
      return {
        writer_hostgroup: pair.writer,
        reader_hostgroup: pair.reader,
        writer: holder?.entry.id ?? null,
        readers: servers.filter(({ entry }) => entry.hostgroup === pair.reader).map(({ entry }) => entry.id),
      }
    }),
    servers: servers.map(
      ({ entry, role, alive, lagMs, lagReason, version: serverVersion, readOnly, gtidExecuted }) => ({
        server: entry.id,
        hostgroup: entry.hostgroup,
        role,
        status: entry.status,
        status_reason: entry.statusReason || (entry.slow ?? ''),
        alive,
        read_only: readOnly,
        lag_ms: lagMs,
        lag_reason: lagReason,
        version: serverVersion,
        gtid_executed: gtidExecuted,
      }),
    ),
    events: view
      .events()
      .slice(-EVENTS_SHOWN_MAX)
      .map(({ time, server, what, why }) => ({ time: new Date(time).toISOString(), server, what, why })),
  }
}

/** The answer of GET /v1/servers. */
export async function serversDocument(view: ControlView): Promise<unknown> {
  await view.countNow()
  const counted = new Map(view.counters().servers.map((one) => [`${one.hostgroup} ${one.server}`, one]))
  return {
    servers: view.snapshot().servers.map((entry) => {
      const counters = counted.get(`${entry.hostgroup} ${entry.id}`)
      return {
        server: entry.id,
        host: entry.host,
        port: entry.port,
        hostgroup: entry.hostgroup,
        status: entry.status,
        status_reason: entry.statusReason || (entry.slow ?? ''),
        weight: entry.weight,
        max_connections: entry.maxConnections,
        max_replication_lag: entry.maxReplicationLag,
        comment: entry.comment,
        connections: {
          used: counters?.connUsed ?? 0,
          free: counters?.connFree ?? 0,
          opened: counters?.connOk ?? 0,
          failed: counters?.connErr ?? 0,
        },
        queries:
          counters === undefined ? 0 : QUERY_CLASSES.reduce((sum, name) => sum + counters.byClass[name].queries, 0),
        bytes_sent: counters?.bytesSent ?? 0,
        bytes_received: counters?.bytesReceived ?? 0,
      }
    }),
  }
}
