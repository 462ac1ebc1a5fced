import type { z } from 'zod'
import type { HostgroupAttributes } from '../../shared/snapshot.js'
import type { ConfigDocument } from './config-file.js'
import { flag, hostgroup, map, orElse, text, whole } from './config-leaves.js'
import { readInitConnect } from './init-connect.js'

/** What ProxySQL's columns have at most, and as good as no limit. */
const MANY = 1_000_000

/** A row of mysql_hostgroup_attributes by the names of its columns. null: as `limits` says for all hostgroups. */
export const hostgroupAttributes = map({
  hostgroup,
  max_num_online_servers: orElse(whole(0, MANY), MANY),
  free_connections_pct: orElse(whole(0, 100), null),
  init_connect: orElse(text, ''),
  multiplex: orElse(flag, true),
  connection_warming: orElse(flag, null),
  throttle_connections_per_sec: orElse(whole(1, MANY), null),
  comment: orElse(text, ''),
})

type Row = z.output<typeof hostgroupAttributes>

/** What workers are told of the hostgroups that have something of their own. */
export function readHostgroupAttributes(rows: readonly Row[], document: ConfigDocument): HostgroupAttributes[] {
  const seen = new Map<number, number>()
  return rows.map((row, index) => {
    const twin = seen.get(row.hostgroup)
    if (twin !== undefined) {
      const where = document.nameOf(['hostgroup_attributes', twin])
      document.fail(['hostgroup_attributes', index, 'hostgroup'], `hostgroup ${row.hostgroup} is already in ${where}`)
    }
    seen.set(row.hostgroup, index)
    return attributesOf(
      row,
      readInitConnect(row.init_connect, ['hostgroup_attributes', index, 'init_connect'], document),
    )
  })
}

function attributesOf(row: Row, initConnect: readonly string[]): HostgroupAttributes {
  const { free_connections_pct: pct, connection_warming: warming, throttle_connections_per_sec: perSec } = row
  return {
    hostgroup: row.hostgroup,
    ...(row.max_num_online_servers < MANY && { maxOnlineServers: row.max_num_online_servers }),
    ...(initConnect.length > 0 && { initConnect }),
    ...(pct !== null && { freeConnectionsPct: pct }),
    ...(warming !== null && { connectionWarming: warming }),
    ...(perSec !== null && { throttleConnectionsPerSec: perSec }),
  }
}
