import { createHash } from 'node:crypto'
import type { ServerId } from '../../shared/snapshot.js'
import type { Candidate } from '../routing/topology-view.js'

/**
 * The replica from which every worker reads under a causal key, so that what one of them has seen need not be told to the
 * others: of each replica's digest with the key the highest wins (rendezvous hashing), so that only the keys of a replica
 * that leaves move. Empty: there is no replica.
 */
export function agreedReplica(key: string, replicas: readonly Candidate[]): ServerId {
  let best: ServerId = ''
  let highest = ''
  for (const { entry } of replicas) {
    const digest = createHash('sha256').update(`${key}\n${entry.id}`).digest('hex')
    if (best !== '' && digest <= highest) continue
    best = entry.id
    highest = digest
  }
  return best
}
