import type { Address } from '../load/connection.js'

/** Something that answers queries: the server itself or a proxy in front of it. */
export interface Target extends Address {
  readonly name: string
  /** Roots of the process trees whose CPU time and memory count as the proxy's; empty: neither is measured. */
  readonly pids: readonly number[]
  /** Ends what was started for it; a target that was there before stays. */
  stop(): Promise<void>
}

/** A target that somebody else started. */
export function existingTarget(name: string, address: Address, pids: readonly number[] = []): Target {
  return { name, ...address, pids, stop: async () => {} }
}
