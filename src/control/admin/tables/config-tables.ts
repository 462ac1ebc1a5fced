import { createHash } from 'node:crypto'
import { nativeHash } from '../../../../protocol/index.js'
import type { ReplicationHostgroup, ServerCompression, ServerTls, UserEntry } from '../../../shared/snapshot.js'
import type { ControlView } from '../../view.js'
import type { Rows, TableSource } from './source.js'
import { variables } from './variables.js'

const SERVER_COLUMNS = [
  'hostgroup_id',
  'hostname',
  'port',
  'status',
  'weight',
  'compression',
  'max_connections',
  'max_replication_lag',
  'use_ssl',
  'comment',
] as const
const USER_COLUMNS = ['username', 'password', 'default_hostgroup', 'default_schema', 'max_connections'] as const
const HOSTGROUP_COLUMNS = ['writer_hostgroup', 'reader_hostgroup'] as const
const VARIABLE_COLUMNS = ['variable_name', 'variable_value'] as const

/** A server as a row of mysql_servers; the configuration and the runtime name these fields alike. */
interface ServerRow {
  readonly hostgroup: number
  readonly host: string
  readonly port: number
  readonly status: string
  readonly weight: number
  readonly maxConnections: number
  readonly maxReplicationLag: number
  readonly tls: ServerTls
  readonly compression: ServerCompression
  readonly comment: string
}

function serverRows(servers: readonly ServerRow[]): Rows {
  return servers.map((server) => [
    server.hostgroup,
    server.host,
    server.port,
    server.status,
    server.weight,
    server.compression === 'off' ? 0 : 1,
    server.maxConnections,
    server.maxReplicationLag,
    server.tls.mode === 'disabled' ? 0 : 1,
    server.comment,
  ])
}

function userRows(users: readonly UserEntry[]): Rows {
  return users.map((user) => [
    user.name,
    user.passwordHash ?? (user.password === '' ? '' : nativeHash(user.password)),
    user.defaultHostgroup,
    user.defaultSchema,
    user.maxConnections,
  ])
}

function hostgroupRows(pairs: readonly ReplicationHostgroup[]): Rows {
  return pairs.map((pair) => [pair.writer, pair.reader])
}

const runtimeServers = (view: ControlView): Rows => serverRows(view.snapshot().servers)
const runtimeUsers = (view: ControlView): Rows => userRows(view.snapshot().users)
const runtimeHostgroups = (view: ControlView): Rows => hostgroupRows(view.snapshot().replicationHostgroups)

/** What ProxySQL Cluster compares between nodes: one row per module, its checksum over the runtime's rows. */
function checksumRows(view: ControlView): Rows {
  const { version } = view.snapshot()
  const epoch = Math.floor(view.startedAt / 1000)
  const modules: readonly (readonly [name: string, rows: Rows])[] = [
    ['admin_variables', variables(view).filter(([name]) => name.startsWith('admin-'))],
    ['mysql_query_rules', []],
    ['mysql_servers', [...runtimeServers(view), ...runtimeHostgroups(view)]],
    ['mysql_users', runtimeUsers(view)],
    ['mysql_variables', variables(view).filter(([name]) => name.startsWith('mysql-'))],
  ]
  return modules.map(([name, rows]) => [name, version, epoch, checksum(rows)])
}

function checksum(rows: Rows): string {
  const digest = createHash('sha256').update(JSON.stringify(rows)).digest('hex')
  return `0x${digest.slice(0, 16).toUpperCase()}`
}

/**
 * The configuration, which in these tables can only be read: `mysql_*` and `disk.*` show the file, `runtime_*` what the
 * workers go by.
 */
export const CONFIG_SOURCES: readonly TableSource[] = [
  {
    databases: ['main', 'disk'],
    table: 'mysql_servers',
    columns: SERVER_COLUMNS,
    rows: (view) => serverRows(view.config.servers),
  },
  { databases: ['main'], table: 'runtime_mysql_servers', columns: SERVER_COLUMNS, rows: runtimeServers },
  {
    databases: ['main', 'disk'],
    table: 'mysql_users',
    columns: USER_COLUMNS,
    rows: (view) => userRows(view.config.users),
  },
  { databases: ['main'], table: 'runtime_mysql_users', columns: USER_COLUMNS, rows: runtimeUsers },
  {
    databases: ['main', 'disk'],
    table: 'mysql_replication_hostgroups',
    columns: HOSTGROUP_COLUMNS,
    rows: (view) => hostgroupRows(view.config.replicationHostgroups),
  },
  {
    databases: ['main'],
    table: 'runtime_mysql_replication_hostgroups',
    columns: HOSTGROUP_COLUMNS,
    rows: runtimeHostgroups,
  },
  { databases: ['main', 'disk'], table: 'global_variables', columns: VARIABLE_COLUMNS, rows: variables },
  { databases: ['main'], table: 'runtime_global_variables', columns: VARIABLE_COLUMNS, rows: variables },
  {
    databases: ['main'],
    table: 'runtime_checksums_values',
    columns: ['name', 'version', 'epoch', 'checksum'],
    rows: checksumRows,
  },
]
