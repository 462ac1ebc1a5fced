import type { ConfigFile } from '../config/config-schema.js'
import type { Row } from './rows.js'
import { present, type Refuse, refuseUnserved, textOf, type Unserved } from './section.js'

export const ATTRIBUTES = 'mysql_hostgroup_attributes'
export const ATTRIBUTES_COLUMNS: Readonly<Record<string, string>> = { hostgroup: 'hostgroup_id' }

const UNSERVED: readonly Unserved[] = [
  { column: 'autocommit', accepted: ['-1'], why: 'autocommit is the session’s own' },
  { column: 'ignore_session_variables', accepted: ['', '{}', '[]'], why: 'every session keeps its variables' },
  {
    column: 'hostgroup_settings',
    accepted: ['', '{}'],
    why: 'warnings can be asked for in any case, and for a lag that is not told there is mysql-monitor_replication_lag_grace',
  },
  { column: 'servers_defaults', accepted: ['', '{}'], why: 'Sluice finds no servers by itself, each has a row' },
]

/** In columns that have a variable for all hostgroups: as that says. */
const AS_FOR_ALL = -1

type Attributes = ConfigFile['hostgroup_attributes'][number]

export function attributesRow(attributes: Attributes): Row {
  const { connection_warming: warming } = attributes
  return {
    hostgroup_id: attributes.hostgroup,
    max_num_online_servers: attributes.max_num_online_servers,
    autocommit: -1,
    free_connections_pct: attributes.free_connections_pct ?? AS_FOR_ALL,
    init_connect: attributes.init_connect,
    multiplex: Number(attributes.multiplex),
    connection_warming: warming === null ? AS_FOR_ALL : Number(warming),
    throttle_connections_per_sec: attributes.throttle_connections_per_sec ?? AS_FOR_ALL,
    ignore_session_variables: '',
    hostgroup_settings: '',
    servers_defaults: '',
    comment: attributes.comment,
  }
}

export function attributesValues(row: Row, refuse: Refuse): Record<string, unknown> {
  refuseUnserved(ATTRIBUTES, row, UNSERVED, refuse)
  return present({
    hostgroup: textOf(row, 'hostgroup_id'),
    max_num_online_servers: textOf(row, 'max_num_online_servers'),
    free_connections_pct: ownOf(row, 'free_connections_pct'),
    init_connect: textOf(row, 'init_connect'),
    multiplex: textOf(row, 'multiplex'),
    connection_warming: ownOf(row, 'connection_warming'),
    throttle_connections_per_sec: ownOf(row, 'throttle_connections_per_sec'),
    comment: textOf(row, 'comment'),
  })
}

function ownOf(row: Row, column: string): string | undefined {
  const value = textOf(row, column)
  return value === String(AS_FOR_ALL) ? undefined : value
}
