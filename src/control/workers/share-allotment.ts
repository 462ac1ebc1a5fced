/** What one worker needs of a server's connections. */
export interface ShareNeed {
  /** Its part if all were alike. */
  readonly even: number
  /** What it may have now. */
  readonly share: number
  readonly used: number
  readonly waiting: number
}

/**
 * Divides a server's connections among workers by what they need. Where that is more than there is, none gets less than its
 * fair part for what another has beyond it; what cannot be divided goes to the first. What nobody needs stays where it is.
 * @param needs in the order in which they are served
 * @param settle what nobody needs goes back to those that have less than their even part
 * @returns shares in the order of `needs`, `max` together at most
 */
export function allot(max: number, needs: readonly ShareNeed[], settle: boolean): number[] {
  const shares = divide(
    max,
    needs.map(({ used, waiting }) => used + waiting),
  )
  const had = needs.map(({ share }) => share)
  const even = needs.map((need) => need.even)
  for (const wish of settle ? [even, had] : [had, even]) topUp(max, shares, wish)
  return shares
}

/** Max-min fair: who wants less than an equal part of what is left gets that, and leaves more for the others. */
function divide(max: number, wanted: readonly number[]): number[] {
  const parts = wanted.map(() => 0)
  let left = max
  let unserved = wanted.map((_, at) => at)
  while (unserved.length > 0) {
    const equal = Math.floor(left / unserved.length)
    const modest = unserved.filter((at) => wanted[at] <= equal)
    if (modest.length === 0) {
      const rest = left % unserved.length
      unserved.forEach((at, order) => {
        parts[at] = equal + (order < rest ? 1 : 0)
      })
      return parts
    }
    for (const at of modest) {
      parts[at] = wanted[at]
      left -= wanted[at]
    }
    unserved = unserved.filter((at) => wanted[at] > equal)
  }
  return parts
}

function topUp(max: number, shares: number[], wish: readonly number[]): void {
  let left = max - shares.reduce((sum, share) => sum + share, 0)
  for (let at = 0; at < shares.length && left > 0; at++) {
    const more = Math.min(left, Math.max(0, wish[at] - shares[at]))
    shares[at] += more
    left -= more
  }
}
