import { SLUICE_VERSION } from '../../../shared/version.js'
import { formatListenAddress } from '../../addresses.js'
import { type Config, MIB } from '../../config-schema.js'
import type { ControlView } from '../../view.js'

type Variables = readonly (readonly [name: string, value: string | number | boolean])[]

/**
 * What Sluice has of ProxySQL's variables, under the same names and in the same units. Only those stand here whose value
 * Sluice really goes by.
 */
export function variables(view: ControlView): [name: string, value: string][] {
  const all: Variables = [...proxyVariables(view), ...monitorVariables(view.config), ...adminVariables(view.config)]
  return all.map(([name, value]): [string, string] => [name, String(value)]).sort((a, b) => (a[0] < b[0] ? -1 : 1))
}

function proxyVariables(view: ControlView): Variables {
  const { digests, limits, greeting, listen, queryCache, tls, workers } = view.snapshot()
  return [
    ['mysql-connect_timeout_client', limits.handshakeTimeoutMs],
    ['mysql-connect_timeout_server', limits.connectTimeoutServerMs],
    ['mysql-connect_timeout_server_max', limits.connectTimeoutServerMaxMs],
    ['mysql-default_query_timeout', limits.defaultQueryTimeoutMs],
    ['mysql-have_ssl', tls !== null],
    ['mysql-interfaces', listen.map(formatListenAddress).join(';')],
    ['mysql-max_allowed_packet', limits.maxAllowedPacket],
    ['mysql-max_connections', limits.maxConnections],
    ['mysql-max_stmts_cache', limits.maxStmtsCache],
    ['mysql-max_stmts_per_connection', limits.maxStmtsPerConnection],
    ['mysql-max_transaction_idle_time', limits.maxTransactionIdleTimeMs],
    ['mysql-max_transaction_time', limits.maxTransactionTimeMs],
    ['mysql-query_cache_invalidation', queryCache.invalidation],
    ['mysql-query_cache_max_result', queryCache.answerBytesMax],
    ['mysql-query_cache_size_MB', queryCache.bytesMax / MIB],
    ['mysql-query_digests', digests.enabled],
    ['mysql-query_digests_max_digest_length', digests.maxDigestLength],
    ['mysql-query_digests_max_query_length', digests.maxQueryLength],
    ['mysql-query_digests_track_hostname', digests.trackHostname],
    ['mysql-server_version', greeting.serverVersion],
    ['mysql-threads', workers],
    ['mysql-wait_timeout', limits.waitTimeoutMs],
  ]
}

function monitorVariables({ monitor }: Config): Variables {
  return [
    ['mysql-monitor_connect_interval', monitor.connectIntervalMs],
    ['mysql-monitor_connect_timeout', monitor.connectTimeoutMs],
    ['mysql-monitor_enabled', true],
    ['mysql-monitor_ping_interval', monitor.pingIntervalMs],
    ['mysql-monitor_ping_max_failures', monitor.pingMaxFailures],
    ['mysql-monitor_ping_timeout', monitor.pingTimeoutMs],
    ['mysql-monitor_read_only_interval', monitor.readOnlyIntervalMs],
    ['mysql-monitor_read_only_timeout', monitor.readOnlyTimeoutMs],
    ['mysql-monitor_replication_lag_interval', monitor.replicationLagIntervalMs],
    ['mysql-monitor_replication_lag_timeout', monitor.replicationLagTimeoutMs],
    ['mysql-monitor_username', monitor.user],
  ]
}

function adminVariables({ admin, metrics }: Config): Variables {
  return [
    ['admin-mysql_ifaces', (admin?.listen ?? []).map(formatListenAddress).join(';')],
    ['admin-read_only', true],
    ['admin-restapi_enabled', metrics !== null],
    ['admin-version', SLUICE_VERSION],
  ]
}
