/**
 * Tables of the admin port, with ProxySQL 2.7's names, columns, defaults and constraints (its Admin_Tables_Definitions;
 * the documentation pages "Main" and "Statistics"). Tools written for that interface read them by these names.
 */

/** Attached schemas in the order in which an unqualified name is looked up. */
export const DATABASES = ['main', 'disk', 'stats', 'monitor', 'stats_history'] as const
export type DatabaseName = (typeof DATABASES)[number]

/** Columns of a table by name; the value is what stands between the parentheses of CREATE TABLE. */
type TableBodies = Readonly<Record<string, string>>

const INT = (name: string, value: number, check = '') =>
  `${name} INT ${check === '' ? '' : `CHECK (${check}) `}NOT NULL DEFAULT ${value}`
const TEXT = (name: string, value = '') => `${name} VARCHAR NOT NULL DEFAULT '${value}'`
const FLAG = (name: string, value: 0 | 1) => INT(name, value, `${name} IN (0,1)`)

/** In `main`, in `disk`, and in `main` once more with the prefix `runtime_`. */
export const CONFIG_TABLES: TableBodies = {
  mysql_servers: [
    INT('hostgroup_id', 0, 'hostgroup_id >= 0'),
    'hostname VARCHAR NOT NULL',
    INT('port', 3306, 'port >= 0 AND port <= 65535'),
    INT('gtid_port', 0, '(gtid_port <> port OR gtid_port = 0) AND gtid_port >= 0 AND gtid_port <= 65535'),
    "status VARCHAR CHECK (UPPER(status) IN ('ONLINE','SHUNNED','OFFLINE_SOFT','OFFLINE_HARD')) NOT NULL DEFAULT 'ONLINE'",
    INT('weight', 1, 'weight >= 0 AND weight <= 10000000'),
    FLAG('compression', 0),
    INT('max_connections', 1000, 'max_connections >= 0'),
    INT('max_replication_lag', 0, 'max_replication_lag >= 0 AND max_replication_lag <= 126144000'),
    FLAG('use_ssl', 0),
    INT('max_latency_ms', 0, 'max_latency_ms >= 0'),
    TEXT('comment'),
    // Sluice's own.
    TEXT('ssl_mode'),
    "compression_algorithm VARCHAR CHECK (compression_algorithm IN ('zlib','zstd')) NOT NULL DEFAULT 'zlib'",
    TEXT('proxy_protocol', 'off'),
    'PRIMARY KEY (hostgroup_id, hostname, port)',
  ].join(', '),
  mysql_servers_ssl_params: [
    'hostname VARCHAR NOT NULL',
    INT('port', 3306, 'port >= 0 AND port <= 65535'),
    TEXT('username'),
    TEXT('ssl_ca'),
    TEXT('ssl_cert'),
    TEXT('ssl_key'),
    TEXT('ssl_capath'),
    TEXT('ssl_crl'),
    TEXT('ssl_crlpath'),
    TEXT('ssl_cipher'),
    TEXT('tls_version'),
    TEXT('comment'),
    'PRIMARY KEY (hostname, port, username)',
  ].join(', '),
  mysql_users: [
    'username VARCHAR NOT NULL',
    'password VARCHAR',
    FLAG('active', 1),
    FLAG('use_ssl', 0),
    INT('default_hostgroup', 0),
    'default_schema VARCHAR',
    FLAG('schema_locked', 0),
    FLAG('transaction_persistent', 1),
    FLAG('fast_forward', 0),
    FLAG('backend', 1),
    FLAG('frontend', 1),
    INT('max_connections', 10000, 'max_connections >= 0'),
    "attributes VARCHAR CHECK (JSON_VALID(attributes) OR attributes = '') NOT NULL DEFAULT ''",
    TEXT('comment'),
    // Sluice's own.
    FLAG('multiplex', 1),
    'consistency VARCHAR',
    'max_replication_lag VARCHAR',
    'query_timeout INT',
    'max_transaction_time INT',
    'backend_user VARCHAR',
    'backend_password VARCHAR',
    FLAG('dry_run', 0),
    'PRIMARY KEY (username, backend)',
    'UNIQUE (username, frontend)',
  ].join(', '),
  mysql_query_rules: [
    'rule_id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL',
    FLAG('active', 0),
    'username VARCHAR',
    'schemaname VARCHAR',
    INT('flagIN', 0, 'flagIN >= 0'),
    'client_addr VARCHAR',
    'proxy_addr VARCHAR',
    'proxy_port INT CHECK (proxy_port >= 0 AND proxy_port <= 65535)',
    'digest VARCHAR',
    'match_digest VARCHAR',
    'match_pattern VARCHAR',
    FLAG('negate_match_pattern', 0),
    "re_modifiers VARCHAR DEFAULT 'CASELESS'",
    'flagOUT INT CHECK (flagOUT >= 0)',
    'replace_pattern VARCHAR CHECK (replace_pattern IS NULL OR match_pattern IS NOT NULL)',
    'destination_hostgroup INT DEFAULT NULL',
    'cache_ttl INT CHECK (cache_ttl > 0)',
    'cache_empty_result INT CHECK (cache_empty_result IN (0,1)) DEFAULT NULL',
    'cache_timeout INT CHECK (cache_timeout >= 0)',
    'reconnect INT CHECK (reconnect IN (0,1)) DEFAULT NULL',
    'timeout INT CHECK (timeout >= 0)',
    'retries INT CHECK (retries >= 0 AND retries <= 1000)',
    'delay INT CHECK (delay >= 0)',
    'next_query_flagIN INT CHECK (next_query_flagIN >= 0)',
    'mirror_flagOUT INT CHECK (mirror_flagOUT >= 0)',
    'mirror_hostgroup INT CHECK (mirror_hostgroup >= 0)',
    'error_msg VARCHAR',
    'OK_msg VARCHAR',
    'sticky_conn INT CHECK (sticky_conn IN (0,1))',
    'multiplex INT CHECK (multiplex IN (0,1,2))',
    'gtid_from_hostgroup INT',
    'log INT CHECK (log IN (0,1))',
    FLAG('apply', 0),
    "attributes VARCHAR CHECK (JSON_VALID(attributes) OR attributes = '') NOT NULL DEFAULT ''",
    'comment VARCHAR',
  ].join(', '),
  mysql_query_rules_fast_routing: [
    'username VARCHAR NOT NULL',
    'schemaname VARCHAR NOT NULL',
    INT('flagIN', 0),
    'destination_hostgroup INT CHECK (destination_hostgroup >= 0) NOT NULL',
    'comment VARCHAR NOT NULL',
    'PRIMARY KEY (username, schemaname, flagIN)',
  ].join(', '),
  mysql_replication_hostgroups: [
    'writer_hostgroup INT CHECK (writer_hostgroup >= 0) NOT NULL PRIMARY KEY',
    'reader_hostgroup INT NOT NULL CHECK (reader_hostgroup <> writer_hostgroup AND reader_hostgroup >= 0)',
    "check_type VARCHAR CHECK (LOWER(check_type) IN ('read_only','innodb_read_only','super_read_only'," +
      "'read_only|innodb_read_only','read_only&innodb_read_only')) NOT NULL DEFAULT 'read_only'",
    TEXT('comment'),
    'UNIQUE (reader_hostgroup)',
  ].join(', '),
  mysql_group_replication_hostgroups: [
    'writer_hostgroup INT CHECK (writer_hostgroup >= 0) NOT NULL PRIMARY KEY',
    'backup_writer_hostgroup INT CHECK (backup_writer_hostgroup >= 0) NOT NULL',
    'reader_hostgroup INT NOT NULL CHECK (reader_hostgroup >= 0)',
    'offline_hostgroup INT NOT NULL CHECK (offline_hostgroup >= 0)',
    FLAG('active', 1),
    INT('max_writers', 1, 'max_writers >= 0'),
    INT('writer_is_also_reader', 0, 'writer_is_also_reader IN (0,1,2)'),
    INT('max_transactions_behind', 0, 'max_transactions_behind >= 0'),
    'comment VARCHAR',
    'UNIQUE (reader_hostgroup)',
    'UNIQUE (offline_hostgroup)',
    'UNIQUE (backup_writer_hostgroup)',
  ].join(', '),
  mysql_hostgroup_attributes: [
    'hostgroup_id INT NOT NULL PRIMARY KEY',
    INT('max_num_online_servers', 1000000, 'max_num_online_servers >= 0 AND max_num_online_servers <= 1000000'),
    INT('autocommit', -1, 'autocommit IN (-1,0,1)'),
    // ProxySQL's columns have no -1: here it stands for the variable of all hostgroups.
    INT('free_connections_pct', 10, 'free_connections_pct >= -1 AND free_connections_pct <= 100'),
    TEXT('init_connect'),
    FLAG('multiplex', 1),
    INT('connection_warming', 0, 'connection_warming IN (-1,0,1)'),
    INT(
      'throttle_connections_per_sec',
      1000000,
      'throttle_connections_per_sec = -1 OR throttle_connections_per_sec BETWEEN 1 AND 1000000',
    ),
    TEXT('ignore_session_variables'),
    TEXT('hostgroup_settings'),
    TEXT('servers_defaults'),
    TEXT('comment'),
  ].join(', '),
  global_variables: 'variable_name VARCHAR NOT NULL PRIMARY KEY, variable_value VARCHAR NOT NULL',
  scheduler: [
    'id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL',
    FLAG('active', 1),
    'interval_ms INTEGER CHECK (interval_ms >= 100 AND interval_ms <= 100000000) NOT NULL',
    'filename VARCHAR NOT NULL',
    'arg1 VARCHAR, arg2 VARCHAR, arg3 VARCHAR, arg4 VARCHAR, arg5 VARCHAR',
    TEXT('comment'),
  ].join(', '),
  proxysql_servers: [
    'hostname VARCHAR NOT NULL',
    INT('port', 6032),
    INT('weight', 0, 'weight >= 0'),
    TEXT('comment'),
    'PRIMARY KEY (hostname, port)',
  ].join(', '),
}

/** How many columns at the end of a table are not ProxySQL's: who inserts without naming columns does not know them. */
export const OWN_COLUMNS: Readonly<Record<string, number>> = { mysql_servers: 3, mysql_users: 7 }

/** Only in `main`. */
export const RUNTIME_ONLY_TABLES: TableBodies = {
  runtime_checksums_values: `name VARCHAR NOT NULL, ${INT('version', 0)}, ${INT('epoch', 0)}, checksum VARCHAR NOT NULL, PRIMARY KEY (name)`,
}

const CONNECTION_POOL =
  'hostgroup INT NOT NULL, srv_host VARCHAR NOT NULL, srv_port INT NOT NULL, status VARCHAR NOT NULL, ConnUsed INT NOT NULL, ' +
  'ConnFree INT NOT NULL, ConnOK INT NOT NULL, ConnERR INT NOT NULL, MaxConnUsed INT NOT NULL, Queries INT NOT NULL, ' +
  'Queries_GTID_sync INT NOT NULL, Bytes_data_sent INT NOT NULL, Bytes_data_recv INT NOT NULL, Latency_us INT NOT NULL'

const QUERY_DIGEST =
  'hostgroup INT NOT NULL, schemaname VARCHAR NOT NULL, username VARCHAR NOT NULL, client_address VARCHAR NOT NULL, ' +
  'digest VARCHAR NOT NULL, digest_text VARCHAR NOT NULL, count_star INTEGER NOT NULL, first_seen INTEGER NOT NULL, ' +
  'last_seen INTEGER NOT NULL, sum_time INTEGER NOT NULL, min_time INTEGER NOT NULL, max_time INTEGER NOT NULL, ' +
  'sum_rows_affected INTEGER NOT NULL, sum_rows_sent INTEGER NOT NULL, errors INTEGER NOT NULL, ' +
  'PRIMARY KEY (hostgroup, schemaname, username, client_address, digest)'

const ERRORS =
  'hostgroup INT NOT NULL, hostname VARCHAR NOT NULL, port INT NOT NULL, username VARCHAR NOT NULL, ' +
  'client_address VARCHAR NOT NULL, schemaname VARCHAR NOT NULL, errno INT NOT NULL, count_star INTEGER NOT NULL, ' +
  'first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, last_error VARCHAR NOT NULL, ' +
  'PRIMARY KEY (hostgroup, hostname, port, username, client_address, schemaname, errno)'

const LATENCY_COLUMNS = ['100us', '500us', '1ms', '5ms', '10ms', '50ms', '100ms', '500ms', '1s', '5s', '10s', 'INFs']

/** In `stats`. No column takes NULL: exporters scan every value into a string. */
export const STATS_TABLES: TableBodies = {
  stats_mysql_connection_pool: CONNECTION_POOL,
  stats_mysql_connection_pool_reset: CONNECTION_POOL,
  stats_mysql_query_digest: QUERY_DIGEST,
  stats_mysql_query_digest_reset: QUERY_DIGEST,
  stats_mysql_processlist:
    'ThreadID INT NOT NULL, SessionID INTEGER PRIMARY KEY NOT NULL, user VARCHAR NOT NULL, db VARCHAR NOT NULL, ' +
    'cli_host VARCHAR NOT NULL, cli_port INT NOT NULL, hostgroup INT NOT NULL, l_srv_host VARCHAR NOT NULL, ' +
    'l_srv_port INT NOT NULL, srv_host VARCHAR NOT NULL, srv_port INT NOT NULL, command VARCHAR NOT NULL, ' +
    'time_ms INT NOT NULL, info VARCHAR NOT NULL, status_flags INT NOT NULL, extended_info VARCHAR NOT NULL',
  stats_mysql_commands_counters:
    'Command VARCHAR NOT NULL PRIMARY KEY, Total_Time_us INT NOT NULL, Total_cnt INT NOT NULL, ' +
    LATENCY_COLUMNS.map((name) => `cnt_${name} INT NOT NULL`).join(', '),
  stats_mysql_query_rules: 'rule_id INTEGER PRIMARY KEY NOT NULL, hits INT NOT NULL',
  stats_mysql_users:
    'username VARCHAR PRIMARY KEY NOT NULL, frontend_connections INT NOT NULL, frontend_max_connections INT NOT NULL',
  stats_mysql_global: 'Variable_Name VARCHAR NOT NULL PRIMARY KEY, Variable_Value VARCHAR NOT NULL',
  stats_memory_metrics: 'Variable_Name VARCHAR NOT NULL PRIMARY KEY, Variable_Value VARCHAR NOT NULL',
  stats_mysql_errors: ERRORS,
  stats_mysql_errors_reset: ERRORS,
  stats_mysql_gtid_executed:
    'hostname VARCHAR NOT NULL, port INT NOT NULL, gtid_executed VARCHAR NOT NULL, events INT NOT NULL',
  stats_mysql_free_connections:
    'fd INT NOT NULL, hostgroup INT NOT NULL, srv_host VARCHAR NOT NULL, srv_port INT NOT NULL, user VARCHAR NOT NULL, ' +
    'schema VARCHAR NOT NULL, init_connect VARCHAR NOT NULL, time_zone VARCHAR NOT NULL, sql_mode VARCHAR NOT NULL, ' +
    'autocommit VARCHAR NOT NULL, idle_ms INT NOT NULL, statistics VARCHAR NOT NULL, mysql_info VARCHAR NOT NULL',
  stats_mysql_prepared_statements_info:
    'global_stmt_id INT NOT NULL, schemaname VARCHAR NOT NULL, username VARCHAR NOT NULL, digest VARCHAR NOT NULL, ' +
    'ref_count_client INT NOT NULL, ref_count_server INT NOT NULL, num_columns INT NOT NULL, num_params INT NOT NULL, ' +
    'query VARCHAR NOT NULL',
  /** Of users with a dry run: where their statements would have gone, and why. */
  stats_sluice_dry_run:
    'username VARCHAR NOT NULL, place VARCHAR NOT NULL, reason VARCHAR NOT NULL, count_star INTEGER NOT NULL, ' +
    'PRIMARY KEY (username, place, reason)',
  /** What changed lately; times in UTC, with milliseconds. */
  stats_sluice_events:
    'id INTEGER PRIMARY KEY NOT NULL, time VARCHAR NOT NULL, kind VARCHAR NOT NULL, server VARCHAR NOT NULL, ' +
    'what VARCHAR NOT NULL, why VARCHAR NOT NULL, who VARCHAR NOT NULL',
  /** Sessions that keep a connection from others. */
  stats_sluice_pins:
    'session INTEGER PRIMARY KEY NOT NULL, user VARCHAR NOT NULL, client VARCHAR NOT NULL, hostgroup INT NOT NULL, ' +
    'server VARCHAR NOT NULL, pins VARCHAR NOT NULL, holds VARCHAR NOT NULL, kept_ms INT NOT NULL, command VARCHAR NOT NULL, ' +
    'time_ms INT NOT NULL, info VARCHAR NOT NULL',
  /** Sluice's own: statements taken for reads that replicas refuse. Times in seconds since 1970. */
  stats_sluice_learned_digests:
    'digest VARCHAR PRIMARY KEY NOT NULL, digest_text VARCHAR NOT NULL, error VARCHAR NOT NULL, first_seen INTEGER NOT NULL, ' +
    'last_seen INTEGER NOT NULL, count_star INTEGER NOT NULL',
}

const monitorLog = (columns: string, errorColumn = 'error') =>
  `hostname VARCHAR NOT NULL, port INT NOT NULL DEFAULT 3306, time_start_us INT NOT NULL DEFAULT 0, ${columns}, ` +
  `${errorColumn} VARCHAR, PRIMARY KEY (hostname, port, time_start_us)`

/** In `monitor`. */
export const MONITOR_TABLES: TableBodies = {
  mysql_server_connect_log: monitorLog('connect_success_time_us INT DEFAULT 0', 'connect_error'),
  mysql_server_ping_log: monitorLog('ping_success_time_us INT DEFAULT 0', 'ping_error'),
  mysql_server_read_only_log: monitorLog('success_time_us INT DEFAULT 0, read_only INT DEFAULT 1'),
  mysql_server_replication_lag_log: monitorLog('success_time_us INT DEFAULT 0, repl_lag INT DEFAULT 0'),
  mysql_server_group_replication_log: monitorLog(
    "success_time_us INT DEFAULT 0, viable_candidate VARCHAR NOT NULL DEFAULT 'NO', read_only VARCHAR NOT NULL DEFAULT 'YES', " +
      'transactions_behind INT DEFAULT 0',
  ),
}

const CPU = 'timestamp INT PRIMARY KEY NOT NULL, tms_utime INT NOT NULL, tms_stime INT NOT NULL'
const CONNECTIONS =
  'timestamp INT PRIMARY KEY NOT NULL, Client_Connections_aborted INT NOT NULL, Client_Connections_connected INT NOT NULL, ' +
  'Client_Connections_created INT NOT NULL, Server_Connections_aborted INT NOT NULL, Server_Connections_connected INT NOT NULL, ' +
  'Server_Connections_created INT NOT NULL, Questions INT NOT NULL, Slow_queries INT NOT NULL, ' +
  'GTID_consistent_queries INT NOT NULL'

/** In `stats_history`: samples of each minute and each hour, whose counts are totals since the start. */
export const HISTORY_TABLES: TableBodies = {
  system_cpu: CPU,
  system_cpu_hour: CPU,
  mysql_connections: CONNECTIONS,
  mysql_connections_hour: CONNECTIONS,
}

/** Table bodies of each schema, under the names that the schema shows. */
export const TABLES: Readonly<Record<DatabaseName, TableBodies>> = {
  main: {
    ...CONFIG_TABLES,
    ...Object.fromEntries(Object.entries(CONFIG_TABLES).map(([name, body]) => [`runtime_${name}`, body])),
    ...RUNTIME_ONLY_TABLES,
  },
  disk: CONFIG_TABLES,
  stats: STATS_TABLES,
  monitor: MONITOR_TABLES,
  stats_history: HISTORY_TABLES,
}

/** Names of the columns of a configuration table, in their order. */
export function columnsOf(table: string): string[] {
  return bodyColumns(CONFIG_TABLES[table] ?? '')
}

/** Names of the columns in what stands between the parentheses of CREATE TABLE. */
export function bodyColumns(body: string): string[] {
  return [...body.matchAll(/(?:^|, )(\w+) (?:INT|VARCHAR)/g)].map((match) => match[1])
}

/** Holds the rowids that the running statement has touched in the table that it changes. */
export const CHANGED_TABLE = 'sluice_changed'

/** Schemas whose configuration tables can be written. */
export const WRITABLE_DATABASES = ['main', 'disk'] as const

/** The statements that build all schemas in an empty SQLite database. */
export function schemaScript(): string {
  const attach = DATABASES.filter((name) => name !== 'main').map((name) => `ATTACH ':memory:' AS ${name};`)
  const create = DATABASES.flatMap((database) =>
    Object.entries(TABLES[database]).map(([table, body]) => `CREATE TABLE ${database}.${table} (${body});`),
  )
  return [...attach, ...create, ...changeScript()].join('\n')
}

/** Triggers that note what changes; with recursive_triggers also the rows that a REPLACE takes away. */
function changeScript(): string[] {
  const events = { INSERT: ['NEW'], UPDATE: ['OLD', 'NEW'], DELETE: ['OLD'] } as const
  const triggers = WRITABLE_DATABASES.flatMap((database) =>
    Object.keys(CONFIG_TABLES).flatMap((table) =>
      Object.entries(events).map(([event, rows]) => {
        const note = rows.map((row) => `INSERT OR IGNORE INTO ${CHANGED_TABLE} VALUES (${row}.rowid);`).join(' ')
        const name = `${CHANGED_TABLE}_${database}_${table}_${event}`
        return `CREATE TEMP TRIGGER ${name} AFTER ${event} ON ${database}.${table} BEGIN ${note} END;`
      }),
    ),
  )
  return [
    'PRAGMA recursive_triggers = ON;',
    `CREATE TEMP TABLE ${CHANGED_TABLE} (id INTEGER PRIMARY KEY);`,
    ...triggers,
  ]
}
