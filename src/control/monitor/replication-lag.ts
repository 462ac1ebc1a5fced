import type { Channel } from './monitor-queries.js'

/** What one poll says about a replica's lag. */
export interface LagReading {
  /** null: the monitor may not or could not read them; `channelsProblem` says why. */
  readonly channels: readonly Channel[] | null
  readonly channelsProblem: string
  /** Age of the oldest transaction received and not applied, in ms; null where the server does not tell. */
  readonly applierMs: number | null
  /** Least lag that follows from the positions of primary and replica, in ms; 0 when nothing follows. */
  readonly behindMs: number
  /** A primary that is down commits nothing that a replica could miss. */
  readonly primaryAlive: boolean
}

/** The last lag that was known for sure, and when (monotonic ms). */
export interface LagMemory {
  readonly lagMs: number
  readonly atMs: number
}

export interface LagVerdict {
  readonly lagMs: number | null
  /** Holds no figures that change with every poll. Empty when the lag is known. */
  readonly lagReason: string
  readonly memory: LagMemory | null
}

/**
 * The lag of a replica. Where the server cannot tell, its threads decide: a stopped one means no lag that anybody could
 * rely on; one that reconnects, or a NULL while both run, means the last known lag plus the time since then, which is
 * never less than the truth, for `graceMs` at most.
 */
export function judgeLag(reading: LagReading, memory: LagMemory | null, nowMs: number, graceMs: number): LagVerdict {
  const { channels } = reading
  if (channels === null) return unknown(reading.channelsProblem, memory)
  if (channels.length === 0) return unknown('replication is not configured', null)
  const applier = channels.find((channel) => !channel.applierRuns)
  if (applier !== undefined)
    return unknown(sentence('replication applier is stopped', applier, applier.applierError), null)
  const receiver = channels.find((channel) => channel.receiver === 'stopped')
  if (receiver !== undefined) {
    return unknown(sentence('replication receiver is stopped', receiver, receiver.receiverError), null)
  }

  const known = knownLag(reading, channels)
  const connecting = channels.find((channel) => channel.receiver === 'connecting')
  if (connecting !== undefined) {
    if (!reading.primaryAlive) {
      // Nothing new is missed; what was received is applied or its age is known.
      const lagMs = known ?? memory?.lagMs ?? null
      if (lagMs !== null) return { lagMs: Math.round(lagMs), lagReason: '', memory }
    }
    const reason = sentence('replication receiver is reconnecting', connecting, connecting.receiverError)
    return estimated(reason, memory, nowMs, graceMs)
  }
  if (known === null) return estimated('the server does not tell its replication lag', memory, nowMs, graceMs)
  const lagMs = Math.round(Math.max(known, reading.behindMs))
  return { lagMs, lagReason: '', memory: { lagMs, atMs: nowMs } }
}

function knownLag(reading: LagReading, channels: readonly Channel[]): number | null {
  if (reading.applierMs !== null) return reading.applierMs
  let worst = 0
  for (const { secondsBehind } of channels) {
    if (secondsBehind === null) return null
    worst = Math.max(worst, secondsBehind * 1000)
  }
  return worst
}

function estimated(reason: string, memory: LagMemory | null, nowMs: number, graceMs: number): LagVerdict {
  if (memory === null || nowMs - memory.atMs > graceMs) return unknown(reason, memory)
  return { lagMs: Math.round(memory.lagMs + nowMs - memory.atMs), lagReason: '', memory }
}

function unknown(lagReason: string, memory: LagMemory | null): LagVerdict {
  return { lagMs: null, lagReason, memory }
}

function sentence(what: string, channel: Channel, error: string): string {
  const where = channel.name === '' ? '' : ` (channel ${channel.name})`
  return `${what}${where}${error === '' ? '' : `: ${error}`}`
}
