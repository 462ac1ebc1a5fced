import type { Limits, ServerId } from '../../shared/snapshot.js'
import type { Candidate } from '../routing/topology-view.js'
import type { Pool } from './pool.js'
import type { ServerPool } from './server-pool.js'

/** Connections to one server that are opened ahead within a second. */
const PER_SECOND_MAX = 3

/**
 * Opens idle connections where there are fewer than are kept, for the accounts that use the server: to be called about once a
 * second. They are spread over that second, so that servers and workers are not all asked at once.
 * @param spare idle connections that are kept
 * @param candidateOf null: the server is not to be used at the moment, or not kept warm
 * @param random from 0 up to, not including, 1
 */
export function warmUp(
  pool: Pool,
  { connectTimeoutServerMs }: Limits,
  spare: (server: ServerPool) => number,
  candidateOf: (server: ServerId) => Candidate | null,
  random: () => number,
): void {
  for (const server of pool.servers) {
    const candidate = candidateOf(server.id)
    if (candidate === null || server.logins.size === 0) continue
    const missing = Math.min(spare(server) - server.idle - server.opening, PER_SECOND_MAX)
    const logins = [...server.logins]
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
