import type { Engine, ServerRole } from '../types.js'

export interface ServerSettings {
  role: ServerRole
  serverId: number
  port: number
  socket: string
  datadir: string
  errorLog: string
  /** The only folder for LOAD DATA and SELECT ... INTO OUTFILE. */
  filesDir: string
  readOnly: boolean
  semiSync: boolean
}

/**
 * Small and quick instead of durable: the sandbox is thrown away, and a killed process loses nothing that it gave to the
 * operating system. See "Server Command Options" in either manual.
 */
const COMMON = [
  '--bind-address=127.0.0.1',
  '--skip-name-resolve',
  '--local-infile=ON',
  '--log-bin=binlog',
  '--relay-log=relay',
  '--relay-log-recovery=ON',
  '--sync-binlog=0',
  '--loose-log-bin-trust-function-creators=ON',
  '--max-connections=1000',
  '--max-allowed-packet=256M',
  '--table-open-cache=400',
  '--table-definition-cache=400',
  '--innodb-buffer-pool-size=64M',
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-use-native-aio=OFF', // its system-wide limit is soon reached by many servers
  '--innodb-doublewrite=OFF',
  '--innodb-log-buffer-size=4M',
  '--innodb-fast-shutdown=2',
  '--innodb-buffer-pool-load-at-startup=OFF',
  '--innodb-buffer-pool-dump-at-shutdown=OFF',
  '--innodb-purge-threads=1',
  '--innodb-read-io-threads=1',
  '--innodb-write-io-threads=1',
]

/** The performance schema's tables for replication are needed; its histories take 300 MB by default. */
const SMALL_PERFORMANCE_SCHEMA = [
  '--performance-schema-digests-size=1000',
  '--performance-schema-events-statements-history-long-size=100',
  '--performance-schema-events-stages-history-long-size=10',
  '--performance-schema-events-transactions-history-long-size=10',
  '--performance-schema-events-waits-history-long-size=10',
  '--performance-schema-accounts-size=20',
  '--performance-schema-hosts-size=20',
  '--performance-schema-users-size=20',
  '--performance-schema-error-size=0',
]

const BY_ENGINE: Record<Engine, readonly string[]> = {
  mysql: [
    '--mysqlx=OFF',
    '--gtid-mode=ON',
    '--enforce-gtid-consistency=ON',
    '--log-replica-updates=ON',
    '--replica-net-timeout=10',
    '--innodb-redo-log-capacity=48M',
    '--loose-mysql-native-password=ON', // 8.4 has the plugin built in, but off; 9 has none
    ...SMALL_PERFORMANCE_SCHEMA,
  ],
  mariadb: [
    '--gtid-strict-mode=ON',
    '--log-slave-updates=ON',
    '--binlog-format=ROW',
    '--slave-net-timeout=10',
    '--innodb-log-file-size=48M',
    '--aria-pagecache-buffer-size=8M',
    '--key-buffer-size=8M',
  ],
}

/**
 * A replica that is a semi-synchronous source too would wait for acknowledgements of what it applies, and nobody sends it any:
 * only the primary is one.
 */
function semiSyncArguments(engine: Engine, isSource: boolean): string[] {
  const source = isSource ? 'ON' : 'OFF'
  if (engine === 'mariadb') return [`--rpl-semi-sync-master-enabled=${source}`, '--rpl-semi-sync-slave-enabled=ON']
  return [
    '--plugin-load-add=semisync_source.so',
    '--plugin-load-add=semisync_replica.so',
    `--rpl-semi-sync-source-enabled=${source}`,
    '--rpl-semi-sync-replica-enabled=ON',
  ]
}

/** Options of one server, without those that say where its program's own files are. */
export function serverArguments(engine: Engine, settings: ServerSettings): string[] {
  return [
    `--datadir=${settings.datadir}`,
    ...ownTemporaryFolder(engine, settings.datadir),
    `--socket=${settings.socket}`,
    `--pid-file=${settings.datadir}/server.pid`,
    `--log-error=${settings.errorLog}`,
    `--secure-file-priv=${settings.filesDir}`,
    `--server-id=${settings.serverId}`,
    `--port=${settings.port}`,
    '--report-host=127.0.0.1',
    `--report-port=${settings.port}`,
    ...COMMON,
    ...BY_ENGINE[engine],
    ...(settings.semiSync ? semiSyncArguments(engine, settings.role === 'primary') : []),
    ...readOnlyArguments(engine, settings.readOnly),
  ]
}

/** Options for making the system tables in an empty folder. */
export function initialiseArguments(engine: Engine, datadir: string): string[] {
  const common = [`--datadir=${datadir}`, '--skip-log-bin', '--innodb-use-native-aio=OFF']
  if (engine === 'mysql') return ['--initialize-insecure', ...common, '--innodb-redo-log-capacity=48M']
  return [
    '--bootstrap',
    ...common,
    ...ownTemporaryFolder(engine, datadir),
    '--innodb-log-file-size=48M',
    '--log-warnings=0',
    '--max-allowed-packet=8M',
  ]
}

/** A MariaDB that starts removes all temporary tables of the folder (sql_base.cc): those of its neighbours too. */
function ownTemporaryFolder(engine: Engine, datadir: string): string[] {
  return engine === 'mariadb' ? [`--tmpdir=${datadir}`] : []
}

/** root may run a server only when it says so. */
export function userArguments(uid = process.getuid?.()): string[] {
  return uid === 0 ? ['--user=root'] : []
}

function readOnlyArguments(engine: Engine, readOnly: boolean): string[] {
  if (!readOnly) return ['--read-only=OFF']
  return engine === 'mysql' ? ['--read-only=ON', '--super-read-only=ON'] : ['--read-only=ON']
}

/** Options of the caller come last and take the place of the sandbox's: MySQL's `--skip-name-resolve` cannot be taken back by another one. */
export function withOwnOptions(args: readonly string[], own: readonly string[]): string[] {
  const names = new Set(own.map(nameOfOption))
  return [...args.filter((arg) => !names.has(nameOfOption(arg))), ...own]
}

function nameOfOption(option: string): string {
  const [name = ''] = option.split('=')
  return name.replaceAll('_', '-').replace(/^--(disable-|enable-|loose-)*/, '')
}
