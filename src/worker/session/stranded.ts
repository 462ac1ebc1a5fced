import type { TopologyView } from '../routing/topology-view.js'
import type { Session } from './session.js'

/**
 * Whether a session is tied to a server whose place as primary another one has taken: its password is known to its client alone, so
 * that no other connection can be opened for it. It has to log in again, or all that it writes would be refused for good.
 */
export function isStranded({ execution }: Session, view: TopologyView): boolean {
  const { backends, facts } = execution
  const { defaultHostgroup } = facts.user
  if (backends.login.withoutPassword !== true || view.readerOf(defaultHostgroup) < 0) return false
  const primaries = view.online(defaultHostgroup)
  if (primaries.length === 0) return false
  for (const { target } of backends.all) if (primaries.some(({ entry }) => entry.id === target.id)) return false
  return true
}
