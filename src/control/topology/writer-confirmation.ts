import { monotonicMs } from '../../shared/clock.js'
import type { ReplicationHostgroup, ServerId } from '../../shared/snapshot.js'
import type { TopologyState } from './topology-types.js'
import { isWriter, membersOf } from './topology-writer.js'

/** Whether a server that somebody names the new primary is it. */
export type WriterVerdict =
  | { readonly kind: 'writer'; readonly hostgroup: number }
  /** In no replication pair, or OFFLINE_HARD. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'other'; readonly why: string }

/** What a confirmation needs of the control plane. */
export interface WriterWatch {
  topology(): TopologyState
  /** Looks at a server at once. */
  check(server: ServerId): void
  /** Calls after every observation; returns what ends that. */
  onObserved(listener: () => void): () => void
}

/** How often servers are looked at again while the answer is awaited: a dead one has to fail several times to be believed dead. */
const LOOK_AGAIN_MS = 200

/**
 * Has all servers of the pair looked at, and resolves as soon as the named one has been seen to be writable and has the role
 * of the writer, or after `waitMs` with what keeps it from that. Nothing is believed, and nothing decided here.
 */
export async function confirmWriter(server: ServerId, waitMs: number, watch: WriterWatch): Promise<WriterVerdict> {
  const startedMs = monotonicMs()
  const pair = pairOf(watch.topology(), server)
  if (pair === null) return { kind: 'unknown' }
  const look = (): void => {
    for (const member of membersOf(watch.topology().rules, pair)) watch.check(member)
  }
  return await new Promise((resolve) => {
    const judge = (): WriterVerdict => writerVerdict(watch.topology(), server, startedMs)
    const end = (verdict: WriterVerdict): void => {
      clearInterval(again)
      clearTimeout(limit)
      ignore()
      resolve(verdict)
    }
    const again = setInterval(look, LOOK_AGAIN_MS)
    const limit = setTimeout(() => end(judge()), waitMs)
    const ignore = watch.onObserved(() => {
      const verdict = judge()
      if (verdict.kind !== 'other') end(verdict)
    })
    look()
  })
}

/** @param sinceMs monotonic; what was seen before does not count */
export function writerVerdict(state: TopologyState, server: ServerId, sinceMs: number): WriterVerdict {
  const pair = pairOf(state, server)
  const node = state.nodes.get(server)
  if (pair === null || node === undefined) return { kind: 'unknown' }
  const other = (why: string): WriterVerdict => ({ kind: 'other', why })
  if (node.observedMs < sinceMs) return other(`${server} could not be looked at in time`)
  if (node.failures > 0) return other(`${server} does not answer: ${node.failureReason}`)
  if (node.blindReason !== '') return other(`${server} cannot be watched: ${node.blindReason}`)
  if (node.readOnly !== false) return other(`read_only = 1 on ${server}`)
  if (isWriter(state, pair, server)) return { kind: 'writer', hostgroup: pair.writer }
  return other(`${server}: ${state.refused.get(server) ?? `${state.writers.get(pair.writer)} is still the writer`}`)
}

function pairOf(state: TopologyState, server: ServerId): ReplicationHostgroup | null {
  return state.rules.replicationHostgroups.find((pair) => membersOf(state.rules, pair).includes(server)) ?? null
}
