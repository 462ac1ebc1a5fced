import type { ErrPacket } from '../../../protocol/index.js'
import { crowdText } from '../../shared/crowded-hostgroups.js'
import { ProxyError } from '../../shared/errors.js'
import { BackendConnectError } from '../backend/backend-connect.js'
import type { TopologyView } from '../routing/topology-view.js'

/* How statements, and logins that a server judges, wait while no server is to be had, and what they are told in the end. */

/** Without news of the servers, whoever waits looks for one again after so long. */
export const LOOK_AGAIN_MS = 100

/** Resolves with the next news of the servers, or after so long. */
export function changedOrAfter(view: TopologyView, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      view.forget(done)
      resolve()
    }
    const timer = setTimeout(done, Math.max(1, ms))
    view.onceChanged(done)
  })
}

/** What a server said last; where none said anything ProxySQL's text, which applications and runbooks know. */
export function gaveUp(hostgroup: number, elapsedMs: number, lastFailure: unknown, view: TopologyView): ProxyError {
  if (lastFailure instanceof BackendConnectError && lastFailure.err !== null) return refusedBy(lastFailure.err)
  const text = `Max connect timeout reached while reaching hostgroup ${hostgroup} after ${Math.round(elapsedMs)}ms`
  const crowd = view.crowdOf(hostgroup)
  const tried = lastFailure === null ? whyNobody(hostgroup, view) : (lastFailure as Error).message
  return new ProxyError(
    'connect-timeout',
    9001,
    'HY000',
    `${text} (sluice: ${crowd === null ? tried : crowdText(crowd)})`,
  )
}

function whyNobody(hostgroup: number, { snapshot }: TopologyView): string {
  const servers = snapshot.servers.filter((server) => server.hostgroup === hostgroup)
  if (servers.length === 0) return 'it has no server'
  return servers
    .map(({ id, status, statusReason }) => `${id} is ${status}${statusReason === '' ? '' : `: ${statusReason}`}`)
    .join('; ')
}

export function refusedBy({ errno, sqlState, message }: ErrPacket): ProxyError {
  return new ProxyError('backend-refused', errno, sqlState, message)
}
