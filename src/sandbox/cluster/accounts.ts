import type { Accounts, Engine } from '../types.js'

export const ACCOUNTS: Accounts = {
  root: { user: 'root', password: '' },
  app: { user: 'app', password: 'app' },
  monitor: { user: 'monitor', password: 'monitor' },
  replication: { user: 'replication', password: 'replication' },
}

export const DATABASES = ['test', 'demo'] as const

/**
 * What an application may need, and nothing that gets past read_only: SUPER and its successors are left out, so a write that
 * reaches a replica fails as it does in production.
 */
const APP_PRIVILEGES = [
  'SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, REFERENCES, TRIGGER, EVENT, EXECUTE, CREATE VIEW, SHOW VIEW',
  'CREATE ROUTINE, ALTER ROUTINE, CREATE TEMPORARY TABLES, LOCK TABLES, SHOW DATABASES, PROCESS, RELOAD, FILE',
].join(', ')

/**
 * Health checks read the replication state; the routine catalogue tells which functions only read. MySQL: "SHOW REPLICA STATUS"
 * needs REPLICATION CLIENT, INFORMATION_SCHEMA.ROUTINES needs SHOW_ROUTINE. MariaDB: SHOW SLAVE STATUS needs SLAVE MONITOR, and
 * INFORMATION_SCHEMA.ROUTINES shows bodies of routines to those who may read mysql.proc.
 */
const MONITOR_GRANTS: Record<Engine, readonly string[]> = {
  mysql: [
    "GRANT REPLICATION CLIENT, SHOW_ROUTINE ON *.* TO 'monitor'@'%'",
    "GRANT SELECT ON performance_schema.* TO 'monitor'@'%'",
  ],
  mariadb: [
    "GRANT REPLICATION CLIENT, SLAVE MONITOR ON *.* TO 'monitor'@'%'",
    "GRANT SELECT ON mysql.proc TO 'monitor'@'%'",
  ],
}

/**
 * Statements that every server runs by itself before replication begins. They stay out of the binary log, so that all servers
 * begin with the same data and an empty GTID history.
 */
export function accountStatements(engine: Engine): string[] {
  const { app, monitor, replication } = ACCOUNTS
  const create = ({ user, password }: { user: string; password: string }) =>
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`
  return [
    'SET SESSION sql_log_bin = 0',
    // MariaDB's own scripts have made this account already.
    "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY ''",
    "GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION",
    ...[app, monitor, replication].map(create),
    `GRANT ${APP_PRIVILEGES} ON *.* TO 'app'@'%'`,
    ...MONITOR_GRANTS[engine],
    "GRANT REPLICATION SLAVE ON *.* TO 'replication'@'%'",
    ...DATABASES.map((name) => `CREATE DATABASE IF NOT EXISTS ${name}`),
  ]
}
