import { Command, encodeCommand } from '../../../protocol/index.js'
import type { Limits } from '../../shared/snapshot.js'
import type { Backend } from '../backend/backend.js'
import { SetupExchange } from '../backend/setup-exchange.js'
import { Keep } from '../state/residue.js'
import type { Pool } from './pool.js'
import type { ServerPool } from './server-pool.js'

/** Connections that were opened together are not closed together: each lives up to this part of its time longer. */
const AGE_SPREAD = 0.25
/** Idle connections of a server that are kept whatever `free_connections_pct` says, so that a quiet pool stays warm. */
const KEPT_MIN = 1
/** A connection that was used within this time is not one too many, but between two statements. */
const QUIET_MS = 5_000
/** A server that does not end a connection within this time after COM_QUIT is not waited for. */
const CLOSING_MS = 5_000
/**
 * A connection on which a ping was not answered so many looks later, of one a second, is dead, whatever else is in flight behind it
 * by now. Time would not do: while this process was stopped itself it could read no answer.
 */
const PING_LOOKS = 5

/** How many idle connections to a server are kept. @param share connections that this worker may have to it */
export function spareConnections(share: number, freeConnectionsPct: number): number {
  return Math.max(KEPT_MIN, Math.ceil((share * freeConnectionsPct) / 100))
}

/** Looks after idle connections: to be called about once a second. @param spare idle connections that are kept */
export function keepUp(pool: Pool, limits: Limits, now: number, spare: (server: ServerPool) => number): void {
  for (const server of pool.servers) {
    let excess = server.idle - spare(server)
    for (const shelf of server.shelves) {
      for (const backend of [...shelf]) {
        const tooMany = excess > 0 && now - backend.restedAt > QUIET_MS
        if (backend.keep === Keep.nothing && (tooMany || isOld(backend, limits.connectionMaxAgeMs, now))) {
          excess--
          pool.close(backend)
        } else if (limits.pingIntervalServerMs > 0 && now - backend.restedAt > limits.pingIntervalServerMs) {
          ping(backend, server, now)
        }
      }
    }
    for (const [backend, since] of server.closing)
      if (now - since > CLOSING_MS) backend.destroy('no answer to COM_QUIT')
    lookForAnswers(server)
    server.forgetUnused()
  }
}

function lookForAnswers({ pinged }: ServerPool): void {
  for (const [backend, looks] of pinged) {
    if (looks < PING_LOOKS) pinged.set(backend, looks + 1)
    else backend.destroy('no answer to COM_PING')
  }
}

function isOld({ openedAt, threadId }: Backend, maxAgeMs: number, now: number): boolean {
  if (maxAgeMs === 0) return false
  const spread = ((threadId % 100) / 100) * AGE_SPREAD
  return now - openedAt > maxAgeMs * (1 + spread)
}

/** One that is used meanwhile answers this first. */
function ping(backend: Backend, { pinged }: ServerPool, now: number): void {
  if (backend.state !== 'idle' || backend.depth > 0) return
  backend.restedAt = now
  pinged.set(backend, 0)
  const over = (): void => void pinged.delete(backend)
  backend.begin(new SetupExchange(over, over))
  backend.write(encodeCommand(Command.PING))
}
