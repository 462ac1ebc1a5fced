import type { ServerEntry } from '../../shared/snapshot.js'
import type { Row } from './rows.js'

/** A server of the runtime in the hostgroup where it is now, with the row of mysql_servers that speaks of it there. */
export interface PlacedServer {
  readonly row: Row
  readonly entry: ServerEntry
}

/** Between two loads workers may for a moment have servers without a row: they are left out. */
export function placedServers(rows: readonly Row[], entries: readonly ServerEntry[]): PlacedServer[] {
  const byAddress = new Map<string, Row[]>()
  for (const row of rows) {
    const key = `${row['hostname']} ${row['port']}`
    byAddress.set(key, [...(byAddress.get(key) ?? []), row])
  }
  return entries.flatMap((entry) => {
    const own = byAddress.get(`${entry.host} ${entry.port}`) ?? []
    const row = own.find((one) => one['hostgroup_id'] === entry.hostgroup) ?? own[0]
    return row === undefined ? [] : [{ row: { ...row, hostgroup_id: entry.hostgroup }, entry }]
  })
}
