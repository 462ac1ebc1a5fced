import type { ServerId } from '../../shared/snapshot.js'
import type { Execution } from '../execution/execution.js'
import { Keep } from '../state/residue.js'
import type { Pool } from './pool.js'

/* Servers that are OFFLINE_SOFT, or removed, finish what they do and get no new statements; what idles there is closed. */

/** What a session may still ask for on its last connection is left to it for `holdMs`. */
export function leaveServers(pool: Pool, isLeaving: (id: ServerId) => boolean, now: number, holdMs: number): void {
  for (const server of pool.servers) {
    if (!isLeaving(server.id)) continue
    server.sendAway()
    for (const shelf of server.shelves) {
      for (const backend of [...shelf]) {
        if (backend.keep !== Keep.diagnostics || now - backend.restedAt > holdMs) pool.close(backend)
      }
    }
  }
}

/** The connections of a session between two commands that are nobody else's and to which nothing ties it. */
export function leaveWithSession(
  { backends, facts }: Execution,
  pool: Pool,
  isLeaving: (id: ServerId) => boolean,
): void {
  for (const backend of [...backends.all]) {
    const isIdle = backend.state === 'idle' && backend.shelf === null && backend !== facts.pinned
    if (isIdle && isLeaving(backend.target.id)) pool.close(backend)
  }
}
