import type { Flavor } from '../../shared/snapshot.js'
import { type BinlogPosition, binlogPosition } from './binlog-position.js'

/** What the monitor asks a server, by flavor and version, and how the answers are read. Pure. */
export interface Dialect {
  readonly flavor: Flavor
  /** Major, minor and patch level. */
  readonly version: readonly [number, number, number]
}

export type Row = Readonly<Record<string, unknown>>

export interface ServerState {
  /** Ordinary clients cannot write: read_only, super_read_only or innodb_read_only. */
  readonly readOnly: boolean
  /** MySQL: gtid_executed; empty unless gtid_mode gives every new transaction a GTID. MariaDB: see `mariadbPositions`. */
  readonly gtidExecuted: string
  /**
   * MySQL: GTIDs of transactions that are being committed, of which some may be visible, and some on replicas, before they
   * count as executed (`process_commit_stage_queue`; gtid_owned). They are asked for first, so that one that ends meanwhile
   * is found among the executed ones.
   */
  readonly gtidOwned: string
  /** MariaDB: what the server has written to its own binary log, and what it has applied from its sources. */
  readonly mariadbPositions: { readonly binlog: string; readonly slave: string } | null
  /** MySQL: server_uuid; MariaDB has none: empty. */
  readonly serverUuid: string
  /** MySQL: new transactions have no GTIDs, so that only places in binary logs tell what a server has. */
  readonly lacksGtids: boolean
  /** What it applies as a replica is in its own binary log as well. */
  readonly logsApplied: boolean
  /** With what new sessions begin. */
  readonly sqlMode: string
  readonly autocommit: boolean
  /** Whether it names clients by name, not by address: not skip_name_resolve. */
  readonly resolvesNames: boolean
}

/** One replication channel ("connection" in MariaDB). */
export interface Channel {
  readonly name: string
  /** `host:port` that it replicates from; empty: not configured. */
  readonly source: string
  readonly receiver: 'running' | 'connecting' | 'stopped'
  readonly applierRuns: boolean
  /** Seconds_Behind_Source; null when the server cannot tell. */
  readonly secondsBehind: number | null
  /** MySQL: up to where in its source's binary log all is applied; null: not known. */
  readonly executed: BinlogPosition | null
  readonly receiverError: string
  readonly applierError: string
}

/** The version in a greeting: `9.7.0`, `8.0.36-28`, `5.5.5-10.11.6-MariaDB-0+deb12u1`. */
export function dialectOf(greetingVersion: string): Dialect {
  const flavor: Flavor = /mariadb/i.test(greetingVersion) ? 'mariadb' : 'mysql'
  // MariaDB before 11 puts 5.5.5- in front, for replicas that would not talk to a two-digit major version.
  const [, major, minor, patch] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(greetingVersion.replace(/^5\.5\.5-(?=\d)/, '')) ?? []
  return { flavor, version: [Number(major ?? 0), Number(minor ?? 0), Number(patch ?? 0)] }
}

export function isAtLeast({ version }: Dialect, major: number, minor: number, patch: number): boolean {
  return (version[0] - major || version[1] - minor || version[2] - patch) >= 0
}

const SESSION_DEFAULTS =
  ' @@global.sql_mode AS sql_mode, @@global.autocommit AS autocommit, @@global.skip_name_resolve AS skip_name_resolve'

/** One row: what may change from one moment to the next, and answers within microseconds. */
export function stateQuery(dialect: Dialect): string {
  const logsApplied = isAtLeast(dialect, 8, 0, 26) ? 'log_replica_updates' : 'log_slave_updates'
  return dialect.flavor === 'mariadb'
    ? 'SELECT @@global.read_only AS read_only, @@global.innodb_read_only AS innodb_read_only,' +
        ' @@global.gtid_binlog_pos AS gtid_binlog_pos, @@global.gtid_slave_pos AS gtid_slave_pos,' +
        SESSION_DEFAULTS
    : 'SELECT @@global.read_only AS read_only, @@global.super_read_only AS super_read_only,' +
        ' @@global.innodb_read_only AS innodb_read_only, @@global.gtid_mode AS gtid_mode,' +
        ' @@global.gtid_owned AS gtid_owned, @@global.gtid_executed AS gtid_executed,' +
        ` @@global.server_uuid AS server_uuid, @@global.${logsApplied} AS logs_applied,` +
        SESSION_DEFAULTS
}

/**
 * MySQL: one row with the end of the server's binary log; none where it has no log. It needs REPLICATION CLIENT, as the
 * channels do.
 *
 * The end moves on when a group of transactions is written to the log, and that is before any of them is committed in its
 * engine, and so shown: `MYSQL_BIN_LOG::ordered_commit` has the stages flush, sync and commit, in this order whatever
 * `sync_binlog` and `binlog_order_commits` say, and the statement gives the end as the flush has left it
 * (`show_binary_log_status`, `raw_get_current_log`). Who was asked later than something was seen answers with an end
 * that lies behind it. As with GTIDs this leaves out what is shown before its statement is logged: rows of tables without
 * transactions, and DDL of MySQL 5.7.
 */
export function binlogQuery(dialect: Dialect): string {
  return isAtLeast(dialect, 8, 2, 0) ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS'
}

/** @returns null where the server has no binary log */
export function readBinlog(row: Row | undefined, { serverUuid }: ServerState): BinlogPosition | null {
  return row === undefined ? null : binlogPosition(serverUuid, text(row['File']), Number(row['Position']))
}

/** One row per channel. MySQL 8.4 has the new words only, MySQL before 8.0.22 the old ones only. */
export function channelsQuery(dialect: Dialect): string {
  if (dialect.flavor === 'mariadb') return 'SHOW ALL SLAVES STATUS'
  return isAtLeast(dialect, 8, 0, 22) ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS'
}

/**
 * One row with the age of the oldest transaction that has been received and not applied, in microseconds; null: there is
 * none. MySQL 8.0 and later (manual, "Performance Schema Replication Tables"). The coordinator's row matters while it
 * waits for SOURCE_DELAY; the connection's while the applier threads have not begun with what was queued.
 */
export const APPLIER_QUERY =
  'SELECT (SELECT MAX(TIMESTAMPDIFF(MICROSECOND, APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, NOW(6)))' +
  " FROM performance_schema.replication_applier_status_by_worker WHERE APPLYING_TRANSACTION <> '') AS applying_us," +
  ' (SELECT MAX(TIMESTAMPDIFF(MICROSECOND, PROCESSING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, NOW(6)))' +
  " FROM performance_schema.replication_applier_status_by_coordinator WHERE PROCESSING_TRANSACTION <> '') AS processing_us," +
  ' (SELECT MAX(TIMESTAMPDIFF(MICROSECOND, c.LAST_QUEUED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, NOW(6)))' +
  ' FROM performance_schema.replication_connection_status c' +
  " WHERE c.LAST_QUEUED_TRANSACTION NOT IN ('', 'ANONYMOUS')" +
  ' AND NOT GTID_SUBSET(c.LAST_QUEUED_TRANSACTION, @@global.gtid_executed)) AS queued_us'

/** Stored functions that say of themselves that they read at most. The default, CONTAINS SQL, proves nothing. */
export const ROUTINES_QUERY =
  'SELECT ROUTINE_SCHEMA AS routine_schema, ROUTINE_NAME AS routine_name FROM information_schema.ROUTINES' +
  " WHERE ROUTINE_TYPE = 'FUNCTION' AND SQL_DATA_ACCESS IN ('NO SQL', 'READS SQL DATA')"

/**
 * Accounts that log in with mysql_native_password and have a password. Answered only where the monitor may read
 * mysql.user (MariaDB: a view of mysql.global_priv, for which SELECT on the view suffices).
 */
export const ACCOUNTS_QUERY =
  'SELECT User AS user, authentication_string AS hash FROM mysql.user' +
  " WHERE plugin = 'mysql_native_password' AND LENGTH(authentication_string) = 41"

/** Hashes by user name; a name with several hosts may have several. */
export function readNativeHashes(rows: readonly Row[]): Record<string, string[]> {
  const hashes = new Map<string, Set<string>>()
  for (const row of rows) {
    const user = text(row['user'])
    hashes.set(user, (hashes.get(user) ?? new Set()).add(text(row['hash']).toUpperCase()))
  }
  return Object.fromEntries([...hashes].map(([user, found]) => [user, [...found].sort()]).sort())
}

/** `uuid:5#47:6#48`, with the thread that has each, as a GTID set. */
function ownedGtids(owned: string): string {
  return owned.replaceAll(/#\d+|\s/g, '')
}

export function readState(row: Row, { flavor }: Dialect): ServerState {
  const defaults = {
    sqlMode: text(row['sql_mode']),
    autocommit: isOn(row['autocommit']),
    resolvesNames: !isOn(row['skip_name_resolve']),
  }
  const readOnly = isOn(row['read_only']) || isOn(row['super_read_only']) || isOn(row['innodb_read_only'])
  if (flavor === 'mysql') {
    // In ON_PERMISSIVE, too, every new transaction of this server has a GTID.
    const complete = String(row['gtid_mode']).startsWith('ON')
    return {
      readOnly,
      gtidExecuted: complete ? text(row['gtid_executed']).replaceAll('\n', '') : '',
      gtidOwned: complete ? ownedGtids(text(row['gtid_owned'])) : '',
      mariadbPositions: null,
      serverUuid: text(row['server_uuid']),
      lacksGtids: !complete,
      logsApplied: isOn(row['logs_applied']),
      ...defaults,
    }
  }
  const mariadbPositions = { binlog: text(row['gtid_binlog_pos']), slave: text(row['gtid_slave_pos']) }
  const notAsked = { gtidExecuted: '', gtidOwned: '', serverUuid: '', lacksGtids: false, logsApplied: false }
  return { readOnly, mariadbPositions, ...notAsked, ...defaults }
}

export function readChannels(rows: readonly Row[]): Channel[] {
  return rows.map((row) => {
    const receiver = text(row['Replica_IO_Running'] ?? row['Slave_IO_Running'])
    const behind = row['Seconds_Behind_Source'] ?? row['Seconds_Behind_Master'] ?? null
    return {
      name: text(row['Channel_Name'] ?? row['Connection_name']),
      source: sourceOf(row),
      // MariaDB has `Preparing` between its start and the first attempt to connect.
      receiver: receiver === 'Yes' ? 'running' : receiver === 'No' || receiver === '' ? 'stopped' : 'connecting',
      applierRuns: text(row['Replica_SQL_Running'] ?? row['Slave_SQL_Running']) === 'Yes',
      secondsBehind: behind === null ? null : Number(behind),
      executed: executedOf(row),
      receiverError: text(row['Last_IO_Error']),
      applierError: text(row['Last_SQL_Error']),
    }
  })
}

/**
 * With one applier thread it moves on after the commit (`Xid_apply_log_event::do_apply_event` puts it back while it commits);
 * with several it is what all of them have passed, as of the last checkpoint (replica_checkpoint_period, 300 ms).
 */
function executedOf(row: Row): BinlogPosition | null {
  const file = row['Relay_Source_Log_File'] ?? row['Relay_Master_Log_File']
  const offset = row['Exec_Source_Log_Pos'] ?? row['Exec_Master_Log_Pos']
  return binlogPosition(text(row['Source_UUID'] ?? row['Master_UUID']), text(file), Number(offset))
}

function sourceOf(row: Row): string {
  const host = text(row['Source_Host'] ?? row['Master_Host'])
  return host === '' ? '' : `${host}:${text(row['Source_Port'] ?? row['Master_Port'])}`
}

/** Milliseconds; 0 when everything received has been applied. Clocks that differ may give less than nothing: 0 then. */
export function readApplierLag(row: Row): number {
  const ages = ['applying_us', 'processing_us', 'queued_us'].map((key) => Number(row[key] ?? 0))
  return Math.max(0, ...ages) / 1000
}

/** `schema.name` in lower case, ordered. */
export function readRoutines(rows: readonly Row[]): string[] {
  return rows.map((row) => `${text(row['routine_schema'])}.${text(row['routine_name'])}`.toLowerCase()).sort()
}

/** System variables come as 0 and 1; MariaDB 12 has words in read_only, of which only OFF allows writes. */
function isOn(value: unknown): boolean {
  return value !== undefined && value !== null && !['0', 'OFF', ''].includes(String(value).toUpperCase())
}

function text(value: unknown): string {
  return value === undefined || value === null ? '' : String(value)
}
