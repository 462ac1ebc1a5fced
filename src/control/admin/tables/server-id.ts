import type { ServerId } from '../../../shared/snapshot.js'

/** The parts of a server id: `host:port`, `[ipv6]:port`, or the path of a unix socket, whose port is 0. */
export function hostAndPort(id: ServerId): [host: string, port: number] {
  if (id.startsWith('/')) return [id, 0]
  const colon = id.lastIndexOf(':')
  return [id.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), Number(id.slice(colon + 1))]
}
