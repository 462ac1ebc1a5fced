import type { ServerId, Snapshot } from './snapshot.js'

/** What a worker has of one server. */
export interface ServerUse {
  /** Connections that the server may still see: those that are being opened or closed included. */
  readonly open: number
  /** Of these, what is in use or was a moment ago: all that is not to be lent. */
  readonly used: number
  /** Statements that wait because there is no room for another connection. */
  readonly waiting: number
}

/** A worker's part of a server's connections while nothing else has been agreed on. @param number of the worker, from 1 */
export function evenShare(max: number, workers: number, number: number): number {
  return Math.floor(max / workers) + (number <= max % workers ? 1 : 0)
}

/** Connections that each server may have over all workers. One in several hostgroups has the highest of their limits. */
export function connectionCaps({ servers }: Pick<Snapshot, 'servers'>): Map<ServerId, number> {
  const caps = new Map<ServerId, number>()
  for (const { id, maxConnections } of servers) caps.set(id, Math.max(1, caps.get(id) ?? 1, maxConnections))
  return caps
}
