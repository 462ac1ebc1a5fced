import type { Limits, ServerId } from '../../shared/snapshot.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { ConnectionProfile } from '../backend/connection-profile.js'
import { type Candidate, findOnline, type TopologyView } from '../routing/topology-view.js'
import type { Pool } from './pool.js'
import type { ServerPool } from './server-pool.js'

/** Connections to one server that are opened ahead within a second. */
const PER_SECOND_MAX = 3

/** A server to which connections are opened ahead. */
export interface Warmed {
  readonly candidate: Candidate
  /** Servers of its hostgroup and the one that is paired with it, itself included: who uses one of them is expected at the others. */
  readonly relatives: ReadonlySet<ServerId>
}

/**
 * Opens idle connections where there are fewer than are kept, for the accounts that use the server or one of its relatives: to
 * be called about once a second. They are spread over that second, so that servers and workers are not all asked at once.
 * @param spare idle connections that are kept
 * @param random from 0 up to, not including, 1
 */
export function warmUp(
  pool: Pool,
  { connectTimeoutServerMs }: Limits,
  spare: (server: ServerPool) => number,
  warmed: readonly Warmed[],
  random: () => number,
): void {
  for (const { candidate, relatives } of warmed) {
    const logins = loginsAt(pool, relatives)
    if (logins.length === 0) continue
    const server = pool.server(candidate.entry.id)
    const missing = Math.min(spare(server) - server.idle - server.opening, PER_SECOND_MAX)
    for (let i = 0; i < missing; i++) {
      const [profile, login] = logins[i % logins.length]
      const open = (): void => {
        // A failure has been counted; those who need a connection try for themselves.
        pool.warm(candidate, { profile, login }, connectTimeoutServerMs).catch(() => {})
      }
      setTimeout(open, random() * 1000).unref()
    }
  }
}

/** With which logins connections to these servers are opened. */
function loginsAt(pool: Pool, ids: ReadonlySet<ServerId>): [ConnectionProfile, BackendLogin][] {
  const logins = new Map<ConnectionProfile, BackendLogin>()
  for (const server of pool.servers) {
    if (ids.has(server.id)) for (const [profile, login] of server.logins) logins.set(profile, login)
  }
  return [...logins]
}

/** Servers that are in use in a hostgroup that is kept warm, and whose connections sessions share. */
export function warmedServers(view: TopologyView): Warmed[] {
  const { servers, exclusiveHostgroups, multiplexing } = view.snapshot
  if (!multiplexing) return []
  const isWarmed = (hostgroup: number): boolean =>
    view.terms.isWarmed(hostgroup) && !exclusiveHostgroups.includes(hostgroup)
  return [...new Set(servers.map(({ id }) => id))].flatMap((id) => {
    const candidate = findOnline(view, id, isWarmed)
    if (candidate === null || candidate.target.proxyProtocol !== 'off') return []
    const { hostgroup } = candidate.entry
    const related = [hostgroup, view.readerOf(hostgroup), view.writerOf(hostgroup)]
    const relatives = servers.filter((server) => related.includes(server.hostgroup)).map((server) => server.id)
    return [{ candidate, relatives: new Set(relatives) }]
  })
}
