import { stringify } from 'yaml'
import { formatListenAddress } from '../../addresses.js'
import { type Config, MIB } from '../../config-schema.js'

const HIDDEN = '********'

/** The configuration in force, as a configuration file would have it; passwords are hidden. */
export function configText(config: Config): string {
  const { consistency, digests, limits, monitor, queryCache } = config
  return stringify({
    listen: config.listen.map(formatListenAddress),
    workers: config.workers,
    ...(config.admin && {
      admin: { listen: config.admin.listen.map(formatListenAddress), users: hidden(config.admin.users) },
    }),
    ...(config.metrics && { metrics: { listen: formatListenAddress(config.metrics.listen) } }),
    monitor: {
      user: monitor.user,
      password: HIDDEN,
      connect_interval: monitor.connectIntervalMs,
      connect_timeout: monitor.connectTimeoutMs,
      ping_interval: monitor.pingIntervalMs,
      ping_timeout: monitor.pingTimeoutMs,
      ping_max_failures: monitor.pingMaxFailures,
      read_only_interval: monitor.readOnlyIntervalMs,
      read_only_timeout: monitor.readOnlyTimeoutMs,
      replication_lag_interval: monitor.replicationLagIntervalMs,
      replication_lag_timeout: monitor.replicationLagTimeoutMs,
      replication_lag_grace: monitor.replicationLagGraceMs,
      routines_interval: monitor.routinesIntervalMs,
      accounts_interval: monitor.accountsIntervalMs,
    },
    servers: config.servers.map((server) => ({
      host: server.port === 0 ? `unix:${server.host}` : server.host,
      ...(server.port !== 0 && { port: server.port }),
      hostgroup: server.hostgroup,
      weight: server.weight,
      max_connections: server.maxConnections,
      max_replication_lag: server.maxReplicationLag,
      status: server.status,
      ssl_mode: server.tls.mode,
      ...(server.tlsFiles.ca && { ssl_ca: server.tlsFiles.ca }),
      ...(server.tlsFiles.cert && { ssl_cert: server.tlsFiles.cert }),
      ...(server.tlsFiles.key && { ssl_key: server.tlsFiles.key }),
      proxy_protocol: server.proxyProtocol,
      compression: server.compression,
      comment: server.comment,
    })),
    replication_hostgroups: config.replicationHostgroups.map(({ writer, reader }) => ({ writer, reader })),
    multiplexing: config.multiplexing,
    hostgroup_attributes: config.exclusiveHostgroups.map((hostgroup) => ({ hostgroup, multiplex: false })),
    users: config.users.map((user) => ({
      name: user.name,
      ...(user.passwordHash === null ? { password: HIDDEN } : { password_hash: HIDDEN }),
      ...(user.backendUser !== null && { backend_user: user.backendUser }),
      ...(user.backendPassword !== null && { backend_password: HIDDEN }),
      default_hostgroup: user.defaultHostgroup,
      ...(user.defaultSchema !== null && { default_schema: user.defaultSchema }),
      max_connections: user.maxConnections,
      use_ssl: user.useSsl,
      multiplex: user.multiplex,
      ...(typeof user.consistency === 'string' && { consistency: user.consistency }),
      ...(typeof user.maxReplicationLagMs === 'number' && { max_replication_lag: user.maxReplicationLagMs / 1000 }),
      ...(typeof user.queryTimeoutMs === 'number' && { query_timeout: user.queryTimeoutMs }),
      ...(typeof user.maxTransactionTimeMs === 'number' && { max_transaction_time: user.maxTransactionTimeMs }),
    })),
    pass_through:
      config.passThrough === null
        ? { enabled: false }
        : {
            enabled: true,
            default_hostgroup: config.passThrough.defaultHostgroup,
            recheck_interval: config.passThrough.recheckMs,
          },
    datadir: config.datadir,
    tls: Object.fromEntries(Object.entries(config.tls).filter(([, value]) => value !== null)),
    proxy_protocol_networks: config.proxyProtocolNetworks,
    local_infile: config.localInfile,
    protocol_compression_algorithms: config.compressionAlgorithms,
    limits: {
      max_connections: limits.maxConnections,
      max_connections_per_address: limits.maxConnectionsPerAddress,
      max_failed_logins: limits.maxFailedLogins,
      connect_timeout_client: limits.handshakeTimeoutMs,
      connect_timeout_server: limits.connectTimeoutServerMs,
      connect_timeout_server_max: limits.connectTimeoutServerMaxMs,
      wait_timeout: limits.waitTimeoutMs,
      max_transaction_time: limits.maxTransactionTimeMs,
      max_transaction_idle_time: limits.maxTransactionIdleTimeMs,
      default_query_timeout: limits.defaultQueryTimeoutMs,
      max_allowed_packet: limits.maxAllowedPacket,
      max_buffered_command: limits.maxBufferedCommand,
      max_stmts_cache: limits.maxStmtsCache,
      max_stmts_per_connection: limits.maxStmtsPerConnection,
      free_connections_pct: limits.freeConnectionsPct,
      connection_warming: limits.connectionWarming,
      throttle_connections_per_sec_to_hostgroup: limits.throttleConnectionsPerSecToHostgroup,
      connection_max_age: limits.connectionMaxAgeMs,
      ping_interval_server: limits.pingIntervalServerMs,
      diagnostics_hold: limits.diagnosticsHoldMs,
      pipeline_depth: limits.pipelineDepth,
      pipeline_query_time: limits.pipelineQueryTimeMs,
      shutdown_timeout: limits.shutdownTimeoutMs,
    },
    consistency: {
      level: consistency.level,
      causal_wait: consistency.causalWaitMs,
      pin: consistency.pinMs ?? 'session',
      token_ttl: consistency.tokenTtlMs,
      tokens_max: consistency.tokensMax,
      replicas_min: consistency.replicasMin,
      max_primary_spill: consistency.maxPrimarySpill,
    },
    query_cache: {
      size_mb: queryCache.bytesMax / MIB,
      max_result: queryCache.answerBytesMax,
      invalidation: queryCache.invalidation,
    },
    query_digests: {
      enabled: digests.enabled,
      sample: digests.sample,
      max_query_length: digests.maxQueryLength,
      max_digest_length: digests.maxDigestLength,
      max_entries: digests.maxEntries,
      track_hostname: digests.trackHostname,
    },
  })
}

function hidden(users: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(users).map((name) => [name, HIDDEN]))
}
