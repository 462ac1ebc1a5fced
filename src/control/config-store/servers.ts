import { unixPath } from '../config/addresses.js'
import type { ConfigPath } from '../config/config-file.js'
import type { ConfigFile } from '../config/config-schema.js'
import { ATTRIBUTES, ATTRIBUTES_COLUMNS, attributesRow, attributesValues } from './hostgroup-attributes.js'
import type { Row, SectionRows } from './rows.js'
import {
  fullTextOf,
  type Place,
  present,
  type Refuse,
  refuseUnserved,
  rowsOf,
  type Section,
  textOf,
  type Unserved,
} from './section.js'

const SERVERS = 'mysql_servers'
const PAIRS = 'mysql_replication_hostgroups'
const GROUPS = 'mysql_group_replication_hostgroups'
const SSL = 'mysql_servers_ssl_params'

const SERVER_UNSERVED: readonly Unserved[] = [
  { column: 'gtid_port', accepted: ['0'], why: 'Sluice reads the GTIDs of the servers itself' },
]
const PAIR_UNSERVED: readonly Unserved[] = [
  {
    column: 'check_type',
    accepted: ['read_only', 'innodb_read_only', 'super_read_only', 'read_only|innodb_read_only'],
    why: 'any of read_only, super_read_only and innodb_read_only makes a server read-only',
  },
]
const SSL_UNSERVED: readonly Unserved[] = [
  { column: 'username', accepted: [''], why: 'a server has one certificate for all users' },
  ...['ssl_capath', 'ssl_crl', 'ssl_crlpath', 'ssl_cipher', 'tls_version'].map((column) => ({
    column,
    accepted: [''],
    why: 'Sluice has ssl_ca, ssl_cert and ssl_key',
  })),
]
type Server = ConfigFile['servers'][number]

/** Host and port as ProxySQL's tables have them: the path of a unix socket has port 0. */
function address({ host, port }: Server): { readonly hostname: string; readonly port: number } {
  const path = unixPath(host)
  return path === null ? { hostname: host.replace(/^\[(.*)\]$/, '$1'), port } : { hostname: path, port: 0 }
}

const ENCRYPTING: readonly (string | null)[] = ['required', 'verify_ca', 'verify_identity']

function serverRow(server: Server): Row {
  const mode = server.ssl_mode
  return {
    hostgroup_id: server.hostgroup,
    ...address(server),
    gtid_port: 0,
    status: server.status,
    weight: server.weight,
    compression: server.compression === 'off' ? 0 : 1,
    max_connections: server.max_connections,
    max_replication_lag: server.max_replication_lag,
    use_ssl: server.use_ssl || ENCRYPTING.includes(mode) ? 1 : 0,
    max_latency_ms: server.max_latency_ms,
    comment: server.comment,
    ssl_mode: mode === 'disabled' || mode === 'required' ? '' : (mode ?? ''),
    compression_algorithm: server.compression === 'off' ? 'zlib' : server.compression,
    proxy_protocol: server.proxy_protocol,
  }
}

function sslRows(servers: readonly Server[]): Row[] {
  const rows = new Map<string, Row>()
  for (const server of servers) {
    if (server.ssl_ca === null && server.ssl_cert === null) continue
    const at = address(server)
    rows.set(`${at.hostname} ${at.port}`, {
      ...at,
      username: '',
      ssl_ca: server.ssl_ca ?? '',
      ssl_cert: server.ssl_cert ?? '',
      ssl_key: server.ssl_key ?? '',
      ssl_capath: '',
      ssl_crl: '',
      ssl_crlpath: '',
      ssl_cipher: '',
      tls_version: '',
      comment: '',
    })
  }
  return [...rows.values()]
}

function pairRow({ writer, reader, check_type, comment }: ConfigFile['replication_hostgroups'][number]): Row {
  return { writer_hostgroup: writer, reader_hostgroup: reader, check_type, comment }
}

/** How the encryption of a row is meant: ProxySQL's flag, and Sluice's own column where the flag does not say enough. */
function sslModeOf(row: Row, refuse: Refuse): string {
  const mode = (fullTextOf(row, 'ssl_mode') ?? '').toLowerCase()
  if (textOf(row, 'use_ssl') === '1') return mode === '' ? 'required' : mode
  if (ENCRYPTING.includes(mode)) {
    refuse({ table: SERVERS, row, column: 'ssl_mode' }, `expected use_ssl 1 next to ${mode}, got 0`)
  }
  return mode === '' ? 'disabled' : mode
}

/** The file counts lags below a second in milliseconds. */
function lagText(row: Row): string | undefined {
  const value = row['max_replication_lag']
  return typeof value === 'number' && !Number.isInteger(value)
    ? `${Math.round(value * 1000)}ms`
    : textOf(row, 'max_replication_lag')
}

function serverValues(row: Row, ssl: Row | undefined, refuse: Refuse): Record<string, unknown> {
  refuseUnserved(SERVERS, row, SERVER_UNSERVED, refuse)
  const hostname = textOf(row, 'hostname') ?? ''
  const isSocket = hostname.startsWith('/')
  const mode = sslModeOf(row, refuse)
  const status = textOf(row, 'status')?.toUpperCase()
  return present({
    host: isSocket ? `unix:${hostname}` : hostname,
    port: isSocket ? undefined : textOf(row, 'port'),
    hostgroup: textOf(row, 'hostgroup_id'),
    weight: textOf(row, 'weight'),
    max_connections: textOf(row, 'max_connections'),
    max_replication_lag: lagText(row),
    max_latency_ms: textOf(row, 'max_latency_ms'),
    // The monitor sets servers aside and takes them back; a row cannot.
    status: status === 'SHUNNED' ? 'ONLINE' : status,
    ssl_mode: mode,
    ...(mode !== 'disabled' && ssl !== undefined
      ? {
          ssl_ca: fullTextOf(ssl, 'ssl_ca'),
          ssl_cert: fullTextOf(ssl, 'ssl_cert'),
          ssl_key: fullTextOf(ssl, 'ssl_key'),
        }
      : {}),
    compression: textOf(row, 'compression') === '1' ? textOf(row, 'compression_algorithm') : 'off',
    proxy_protocol: textOf(row, 'proxy_protocol'),
    comment: textOf(row, 'comment'),
  })
}

const SERVER_COLUMNS: Readonly<Record<string, string>> = {
  host: 'hostname',
  hostgroup: 'hostgroup_id',
  compression: 'compression_algorithm',
}
const PAIR_COLUMNS: Readonly<Record<string, string>> = { writer: 'writer_hostgroup', reader: 'reader_hostgroup' }
const SSL_KEYS: readonly unknown[] = ['ssl_ca', 'ssl_cert', 'ssl_key']

function addressKey(row: Row): string {
  return `${textOf(row, 'hostname')} ${textOf(row, 'port')}`
}

function toValues(rows: SectionRows, refuse: Refuse) {
  const servers = rowsOf(rows, SERVERS)
  const pairs = rowsOf(rows, PAIRS)
  const attributes = rowsOf(rows, ATTRIBUTES)
  for (const row of rowsOf(rows, GROUPS)) {
    const why = 'Sluice follows read_only of the servers, and has no hostgroups of group replication'
    refuseUnserved(GROUPS, row, [{ column: 'active', accepted: ['0'], why }], refuse)
  }
  for (const row of rowsOf(rows, SSL)) refuseUnserved(SSL, row, SSL_UNSERVED, refuse)
  for (const row of pairs) refuseUnserved(PAIRS, row, PAIR_UNSERVED, refuse)
  const ssl = new Map(rowsOf(rows, SSL).map((row) => [addressKey(row), row]))
  const values = {
    servers: servers.map((row) => serverValues(row, ssl.get(addressKey(row)), refuse)),
    replication_hostgroups: pairs.map((row) => ({
      writer: textOf(row, 'writer_hostgroup'),
      reader: textOf(row, 'reader_hostgroup'),
      check_type: textOf(row, 'check_type'),
      comment: textOf(row, 'comment') ?? '',
    })),
    hostgroup_attributes: attributes.map((row) => attributesValues(row, refuse)),
  }
  return { values, place: (path: ConfigPath) => placeOf(path, servers, ssl, pairs, attributes) }
}

function placeOf(
  [list, index, key]: ConfigPath,
  servers: readonly Row[],
  ssl: ReadonlyMap<string, Row>,
  pairs: readonly Row[],
  attributes: readonly Row[],
): Place | null {
  if (typeof index !== 'number') return null
  const place = (table: string, row: Row, columns: Readonly<Record<string, string>>): Place => ({
    table,
    row,
    column: key === undefined ? null : (columns[key] ?? String(key)),
  })
  if (list === 'servers') {
    const row = servers[index]
    const own = ssl.get(addressKey(row))
    return SSL_KEYS.includes(key) && own !== undefined ? place(SSL, own, {}) : place(SERVERS, row, SERVER_COLUMNS)
  }
  if (list === 'replication_hostgroups') return place(PAIRS, pairs[index], PAIR_COLUMNS)
  return list === 'hostgroup_attributes' ? place(ATTRIBUTES, attributes[index], ATTRIBUTES_COLUMNS) : null
}

export const SERVERS_SECTION: Section = {
  name: 'MYSQL SERVERS',
  tables: [
    { name: SERVERS, key: ['hostgroup_id', 'hostname', 'port'] },
    { name: PAIRS, key: ['writer_hostgroup'] },
    { name: GROUPS, key: ['writer_hostgroup'] },
    { name: ATTRIBUTES, key: ['hostgroup_id'] },
    { name: SSL, key: ['hostname', 'port', 'username'] },
  ],
  keys: ['servers', 'replication_hostgroups', 'hostgroup_attributes'],
  toRows: (file) =>
    new Map([
      [SERVERS, file.servers.map(serverRow)],
      [PAIRS, file.replication_hostgroups.map(pairRow)],
      [GROUPS, []],
      [ATTRIBUTES, file.hostgroup_attributes.map(attributesRow)],
      [SSL, sslRows(file.servers)],
    ]),
  toValues,
}
