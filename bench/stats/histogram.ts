/**
 * Log-linear histogram of whole microseconds: exact below 256, then 128 steps per power of two, so a value that is read
 * back is at most 1/128 (0.8 %) above what was recorded. Recording costs a few instructions and never allocates.
 */

const SUB_BUCKET_BITS = 7
const LARGEST = 0x7fff_ffff
const BUCKETS = bucketOf(LARGEST) + 1

/** Counts of non-empty buckets, as `[bucket, count]`: what goes over a process border or into a file. */
export type PackedHistogram = readonly (readonly [bucket: number, count: number])[]

export class Histogram {
  readonly #counts = new Float64Array(BUCKETS)
  #total = 0
  #max = 0

  static unpack(packed: PackedHistogram): Histogram {
    const histogram = new Histogram()
    for (const [bucket, count] of packed) {
      histogram.#counts[bucket] += count
      histogram.#total += count
      if (count > 0) histogram.#max = Math.max(histogram.#max, upperEnd(bucket))
    }
    return histogram
  }

  /** Number of values recorded. */
  get total(): number {
    return this.#total
  }

  /** Largest value in microseconds; after `unpack` or `merge`, the upper end of its bucket. */
  get max(): number {
    return this.#max
  }

  /** Records a time in microseconds; fractions are cut, negative ones count as 0, more than 35 minutes as 35 minutes. */
  record(microseconds: number, count = 1): void {
    const value = microseconds > LARGEST ? LARGEST : microseconds > 0 ? microseconds | 0 : 0
    this.#counts[bucketOf(value)] += count
    this.#total += count
    if (value > this.#max) this.#max = value
  }

  /** Adds all that `other` recorded. */
  merge(other: Histogram): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#counts[bucket] += other.#counts[bucket]
    this.#total += other.#total
    this.#max = Math.max(this.#max, other.#max)
  }

  /**
   * The value in microseconds that `percent` of all values do not exceed (upper end of its bucket, never above `max`).
   * @param percent more than 0, at most 100
   * @returns 0 when nothing was recorded
   */
  percentile(percent: number): number {
    const wanted = Math.ceil((percent / 100) * this.#total)
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]
      if (seen >= wanted && seen > 0) return Math.min(upperEnd(bucket), this.#max)
    }
    return 0
  }

  pack(): PackedHistogram {
    const packed: [number, number][] = []
    this.#counts.forEach((count, bucket) => {
      if (count > 0) packed.push([bucket, count])
    })
    return packed
  }
}

function bucketOf(value: number): number {
  if (value < 1 << (SUB_BUCKET_BITS + 1)) return value
  const shift = 31 - Math.clz32(value) - SUB_BUCKET_BITS
  return (shift << SUB_BUCKET_BITS) + (value >>> shift)
}

/** Largest value that falls into the bucket. */
function upperEnd(bucket: number): number {
  if (bucket < 1 << (SUB_BUCKET_BITS + 1)) return bucket
  const shift = (bucket >>> SUB_BUCKET_BITS) - 1
  return (bucket - (shift << SUB_BUCKET_BITS) + 1) * 2 ** shift - 1
}
