import { Capability, type ErrPacket } from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import { BackendConnectError, tryLogin } from '../backend/backend-connect.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { WorkerContext } from '../context.js'
import type { Candidate } from '../routing/topology-view.js'

/**
 * Asks the servers whether they let an account in: the primary, or where none answers a replica, which has the same
 * accounts.
 * @returns null when they do, the server's refusal when they do not, `unreachable` when nobody could be asked
 */
export async function askServers(
  context: WorkerContext,
  hostgroup: number,
  login: BackendLogin,
): Promise<ErrPacket | null | 'unreachable'> {
  const { connectTimeoutServerMs } = context.view.snapshot.limits
  for (const { target } of askable(context, hostgroup)) {
    try {
      await tryLogin(target, forQuestion(login), connectTimeoutServerMs)
      return null
    } catch (error) {
      if (!(error instanceof BackendConnectError)) throw error
      if (error.err !== null && !error.tryAnother) return error.err
    }
  }
  return 'unreachable'
}

/** The primary first. */
function askable({ view }: WorkerContext, hostgroup: number): Candidate[] {
  const now = monotonicMs()
  const servers = [...view.online(hostgroup), ...view.online(view.readerOf(hostgroup))]
  const preferred = servers.filter(({ target }) => !target.known.breaker.isAvoided(now))
  return preferred.length > 0 ? preferred : servers
}

/** The server that may ask a client itself; null: there is none at the moment. */
export function primaryToAsk(context: WorkerContext, hostgroup: number): Candidate | null {
  return askable(context, hostgroup).find(({ entry }) => entry.hostgroup === hostgroup) ?? null
}

/** Nothing but the account is in question; whether its password has expired shows only to those who cannot handle it. */
function forQuestion(login: BackendLogin): BackendLogin {
  const keeps = login.capabilities & Capability.CAN_HANDLE_EXPIRED_PASSWORDS
  return { ...login, database: '', capabilities: (PLAIN | keeps) >>> 0, mariadbCapabilities: 0 }
}

const PLAIN = Capability.LONG_PASSWORD | Capability.LONG_FLAG | Capability.TRANSACTIONS
