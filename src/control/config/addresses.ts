import { isIPv6 } from 'node:net'
import type { ListenAddress, ServerId } from '../../shared/snapshot.js'

const PORT_MAX = 65_535

/**
 * Reads `host:port`, `[::1]:port`, `*:port` (all interfaces) or `unix:/path`. Port 0 lets the system choose.
 * Returns null when the text is none of these.
 */
export function parseListenAddress(text: string): ListenAddress | null {
  const path = unixPath(text)
  if (path !== null) return path === '' ? null : { path }
  const colon = text.lastIndexOf(':')
  if (colon < 0) return null
  const port = parsePort(text.slice(colon + 1))
  const host = unbracket(text.slice(0, colon))
  if (port === null || host === null || host === '') return null
  return { host: host === '*' ? '::' : host, port }
}

/** The path in `unix:/path`, empty when it is relative; null when the text is no unix address. */
export function unixPath(text: string): string | null {
  if (!text.startsWith('unix:')) return null
  const path = text.slice('unix:'.length)
  return path.startsWith('/') ? path : ''
}

/** As people write it: `127.0.0.1:6033`, `[::1]:6033`, `unix:/run/sluice.sock`. */
export function formatListenAddress(address: ListenAddress): string {
  return address.path !== undefined ? `unix:${address.path}` : formatHostPort(address.host ?? '', address.port ?? 0)
}

/** `port` 0 means that `host` is the path of a unix socket, which then is the id. */
export function serverId(host: string, port: number): ServerId {
  return port === 0 ? host : formatHostPort(host, port)
}

function formatHostPort(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** `[::1]` becomes `::1`; null for a bare IPv6 address, where nobody can tell the port from the address. */
function unbracket(host: string): string | null {
  if (host.startsWith('[') && host.endsWith(']')) {
    const inner = host.slice(1, -1)
    return isIPv6(inner) ? inner : null
  }
  return host.includes(':') ? null : host
}

function parsePort(text: string): number | null {
  if (text.length === 0 || text.length > 5) return null
  for (const character of text) if (character < '0' || character > '9') return null
  const port = Number(text)
  return port <= PORT_MAX ? port : null
}
