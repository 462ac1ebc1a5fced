interface Bucket {
  /** Connections that may be opened at once. */
  left: number
  /** Monotonic ms. */
  at: number
}

/**
 * Limits how many connections per second are opened to the servers of a hostgroup, so that a server that has just come back
 * is not buried under logins (ProxySQL: mysql-throttle_connections_per_sec_to_hostgroup). What was not used of one second may be
 * used in the next, no more.
 */
export class OpeningThrottle {
  readonly #buckets = new Map<number, Bucket>()
  readonly #perSecond: (hostgroup: number) => number

  /** @param perSecond of this worker, by hostgroup; more than 0, and less than 1 where several workers share little */
  constructor(perSecond: (hostgroup: number) => number) {
    this.#perSecond = perSecond
  }

  mayOpen(hostgroup: number, now: number): boolean {
    return this.#bucket(hostgroup, now).left >= 1
  }

  opened(hostgroup: number, now: number): void {
    this.#bucket(hostgroup, now).left--
  }

  #bucket(hostgroup: number, now: number): Bucket {
    const perSecond = this.#perSecond(hostgroup)
    let bucket = this.#buckets.get(hostgroup)
    if (bucket === undefined) {
      bucket = { left: Math.max(1, perSecond), at: now }
      this.#buckets.set(hostgroup, bucket)
    }
    bucket.left = Math.min(Math.max(1, perSecond), bucket.left + ((now - bucket.at) / 1000) * perSecond)
    bucket.at = now
    return bucket
  }
}
