import { Capability, type ErrPacket } from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import { BackendConnectError, tryLogin } from '../backend/backend-connect.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { WorkerContext } from '../context.js'
import type { Candidate } from '../routing/topology-view.js'
import { ServerWait } from './server-wait.js'

/** What the servers say of an account. */
export interface Judgement {
  /** As the client is to be told; null: it is let in. */
  readonly err: ErrPacket | null
  /** False: no server could be asked. */
  readonly judged: boolean
}

const LET_IN: Judgement = { err: null, judged: true }

/**
 * Asks the servers whether they let an account in: the primary, or where none answers a replica, which has the same
 * accounts. While there is none to be asked it waits, for as long as a statement would.
 * @param isPatient false once nobody waits for the answer: asked after each round
 */
export async function askServers(
  context: WorkerContext,
  hostgroup: number,
  login: BackendLogin,
  isPatient: () => boolean,
): Promise<Judgement> {
  const wait = new ServerWait(context, hostgroup)
  do {
    for (const { target } of askable(context, hostgroup)) {
      try {
        await tryLogin(target, forQuestion(login), wait.attemptMs)
        return LET_IN
      } catch (error) {
        if (!(error instanceof BackendConnectError)) throw error
        if (error.err !== null && !error.tryAnother) return { err: error.err, judged: true }
        wait.lastFailure = error
      }
    }
  } while (isPatient() && mayHelp(wait.lastFailure) && (await wait.more()))
  const { errno, sqlState, message } = wait.error
  return { err: { errno, sqlState, message }, judged: false }
}

/** Whether it may be otherwise in a moment: what a server says of the address that Sluice comes from is not. */
export function mayHelp(failure: unknown): boolean {
  return !(failure instanceof BackendConnectError) || failure.mayPass
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
