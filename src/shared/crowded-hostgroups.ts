import type { Snapshot } from './snapshot.js'

/** A hostgroup with more servers ONLINE than it may have. */
export interface Crowd {
  readonly online: number
  readonly max: number
}

/** Hostgroups that are not used because more servers are ONLINE there than `max_num_online_servers`, by hostgroup. */
export function crowdedHostgroups({
  servers,
  hostgroupAttributes = [],
}: Pick<Snapshot, 'servers' | 'hostgroupAttributes'>): Map<number, Crowd> {
  const crowds = new Map<number, Crowd>()
  for (const { hostgroup, maxOnlineServers: max } of hostgroupAttributes) {
    if (max === undefined) continue
    const online = servers.filter((entry) => entry.hostgroup === hostgroup && entry.status === 'ONLINE').length
    if (online > max) crowds.set(hostgroup, { online, max })
  }
  return crowds
}

export function crowdText({ online, max }: Crowd): string {
  return `${online} servers are ONLINE there, max_num_online_servers is ${max}`
}
