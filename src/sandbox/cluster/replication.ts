/** The statements of replication by GTID in both dialects, and by binary log coordinates in MySQL's. */
import type { Engine } from '../types.js'
import { ACCOUNTS } from './accounts.js'

export interface ReplicaThreads {
  isReceiving: boolean
  isApplying: boolean
  lastError: string
}

export interface ReplicationDialect {
  /**
   * Points a server at its source; threads must not be running.
   * @param position what the source has executed that is not to be sent; by GTID the servers find it out themselves
   */
  attach(sourcePort: number, position: string): string[]
  readonly start: string
  readonly stop: string
  /** Forgets the source. */
  readonly detach: string
  /** SOURCE_DELAY / MASTER_DELAY; threads must not be running. */
  delay(seconds: number): string
  readOnly(isOn: boolean): string
  /** Whether the server waits for acknowledgements; semi-synchronous replication must be set up. */
  semiSyncSource(isOn: boolean): string
  /** One row, one column `position`: everything the server has executed. */
  readonly position: string
  /** Waits on a replica until it has executed `position`: one column `reached`, 1 when it has, 0 after `seconds`. */
  wait(position: string, seconds: number): { sql: string; params: unknown[] }
  readonly status: string
  readStatus(row: Record<string, unknown>): ReplicaThreads
}

const { user, password } = ACCOUNTS.replication

/** A lost source is tried again every second, for ever; heartbeats find one that hangs. */
const RETRY_SECONDS = 1
const HEARTBEAT_SECONDS = 2

function attachMysql(port: number, from: string): string[] {
  return [
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = ${port}, SOURCE_USER = '${user}', ` +
      `SOURCE_PASSWORD = '${password}', ${from}, GET_SOURCE_PUBLIC_KEY = 1, ` +
      `SOURCE_CONNECT_RETRY = ${RETRY_SECONDS}, SOURCE_RETRY_COUNT = 1000000, ` +
      `SOURCE_HEARTBEAT_PERIOD = ${HEARTBEAT_SECONDS}`,
  ]
}

const mysql: ReplicationDialect = {
  attach: (port) => attachMysql(port, 'SOURCE_AUTO_POSITION = 1'),
  start: 'START REPLICA',
  stop: 'STOP REPLICA',
  detach: 'RESET REPLICA ALL',
  delay: (seconds) => `CHANGE REPLICATION SOURCE TO SOURCE_DELAY = ${seconds}`,
  readOnly: (isOn) => (isOn ? 'SET GLOBAL super_read_only = ON' : 'SET GLOBAL read_only = OFF'),
  semiSyncSource: (isOn) => `SET GLOBAL rpl_semi_sync_source_enabled = ${isOn ? 'ON' : 'OFF'}`,
  position: 'SELECT @@GLOBAL.gtid_executed AS position',
  wait: (position, seconds) => ({
    sql: 'SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?) = 0 AS reached',
    params: [position, seconds],
  }),
  status: 'SHOW REPLICA STATUS',
  readStatus: (row) => ({
    isReceiving: row['Replica_IO_Running'] === 'Yes',
    isApplying: row['Replica_SQL_Running'] === 'Yes',
    lastError: String(row['Last_IO_Error'] || row['Last_SQL_Error'] || ''),
  }),
}

/** `FILE:POSITION` in the source's binary log. */
const mysqlByCoordinates: ReplicationDialect = {
  ...mysql,
  attach: (port, position) => {
    const [file, at] = position.split(':')
    return attachMysql(port, `SOURCE_AUTO_POSITION = 0, SOURCE_LOG_FILE = '${file}', SOURCE_LOG_POS = ${at}`)
  },
  position:
    "SELECT CONCAT(LOCAL->>'$.binary_log_file', ':', LOCAL->>'$.binary_log_position') AS position" +
    ' FROM performance_schema.log_status',
  wait: (position, seconds) => ({
    sql: 'SELECT SOURCE_POS_WAIT(?, ?, ?) >= 0 AS reached',
    params: [...position.split(':'), seconds],
  }),
}

const mariadb: ReplicationDialect = {
  attach: (port) => [
    // A former primary has its position in the binary log only; a replica's own position is part of this value already.
    'SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_current_pos',
    `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${port}, MASTER_USER = '${user}', ` +
      `MASTER_PASSWORD = '${password}', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = ${RETRY_SECONDS}, ` +
      `MASTER_HEARTBEAT_PERIOD = ${HEARTBEAT_SECONDS}`,
  ],
  start: 'START SLAVE',
  stop: 'STOP SLAVE',
  detach: 'RESET SLAVE ALL',
  delay: (seconds) => `CHANGE MASTER TO MASTER_DELAY = ${seconds}`,
  readOnly: (isOn) => `SET GLOBAL read_only = ${isOn ? 'ON' : 'OFF'}`,
  semiSyncSource: (isOn) => `SET GLOBAL rpl_semi_sync_master_enabled = ${isOn ? 'ON' : 'OFF'}`,
  position: 'SELECT @@GLOBAL.gtid_current_pos AS position',
  wait: (position, seconds) => ({
    sql: 'SELECT MASTER_GTID_WAIT(?, ?) = 0 AS reached',
    params: [position, seconds],
  }),
  status: 'SHOW SLAVE STATUS',
  readStatus: (row) => ({
    isReceiving: row['Slave_IO_Running'] === 'Yes',
    isApplying: row['Slave_SQL_Running'] === 'Yes',
    lastError: String(row['Last_IO_Error'] || row['Last_SQL_Error'] || ''),
  }),
}

const BY_GTID: Record<Engine, ReplicationDialect> = { mysql, mariadb }

export function replicationDialect(engine: Engine, byCoordinates: boolean): ReplicationDialect {
  return byCoordinates ? mysqlByCoordinates : BY_GTID[engine]
}
