import type { DigestSettings } from '../../shared/snapshot.js'
import { type Digest, Digester, digestHex, type LexicalOptions } from '../../sql/index.js'
import type { ReadTime } from '../execution/read-time.js'

/** What all normalised texts of a worker may take, in bytes. */
const TEXT_BYTES_MAX = 32 << 20
/** What an entry takes besides its text, measured on Node 20 (the table included). */
const ENTRY_BYTES = 290

/** What all statements that differ only in their literals have in common: there is one object for them in a worker. */
export class StatementDigest {
  /** The 64-bit hash of the normalised text: its upper and lower 32 bits, unsigned. */
  readonly high: number
  readonly low: number
  /** As in ProxySQL's tables: `0x` and 16 digits. */
  readonly hex: string
  /** The statements' read time; null: nobody asks for it. */
  readTime: ReadTime | null = null
  /** It was met again since the hand of the clock came by last. */
  met = false
  /** Another one with the same lower half. */
  next: StatementDigest | null
  /** The bytes of the text, one in each character. */
  readonly #bytes: string
  #text: string | null = null

  constructor(digest: Digest, lengthMax: number, next: StatementDigest | null) {
    this.high = digest.high
    this.low = digest.low
    this.hex = digestHex(digest)
    this.next = next
    const { buffer, byteOffset } = digest.bytes
    this.#bytes = Buffer.from(buffer, byteOffset).toString('latin1', 0, wholeCharacters(digest, lengthMax))
  }

  /** The normalised text, as much of it as is kept (`query_digests.max_digest_length`). */
  get text(): string {
    this.#text ??= Buffer.from(this.#bytes, 'latin1').toString('utf8')
    return this.#text
  }

  /** What it takes, in bytes. */
  get size(): number {
    return ENTRY_BYTES + this.#bytes.length
  }
}

/**
 * The digests that a worker's sessions have met, by their hash. A statement that was met before costs no allocation. Bounded
 * by number and by the texts' bytes: those that were not met for longest make room, as the hand of a clock finds them.
 */
export class Digests {
  /** Made for every statement, whether or not it is counted: somebody routes by them. */
  needed = false
  evictions = 0
  readonly #digester = new Digester()
  /** By the lower half of the hash, as a signed number: those need no allocation. */
  readonly #byLow = new Map<number, StatementDigest>()
  readonly #random: () => number
  #settings: DigestSettings
  #hand: MapIterator<StatementDigest>
  #size = 0
  #bytes = 0

  constructor(settings: DigestSettings, random: () => number) {
    this.#settings = settings
    this.#random = random
    this.#hand = this.#byLow.values()
  }

  configure(settings: DigestSettings): void {
    this.#settings = settings
    this.#makeRoom()
  }

  /** Number of digests. */
  get size(): number {
    return this.#size
  }

  /** What they take, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether the statement at hand is to be counted: all, one in `sample`, or none. */
  samples(): boolean {
    const { enabled, sample } = this.#settings
    return enabled && (sample === 1 || this.#random() * sample < 1)
  }

  /** The digest of the text [start, end) of the buffer, of which there is no more than that unless it is `streamed`. */
  of(buffer: Uint8Array, start: number, end: number, options: LexicalOptions, streamed: boolean): StatementDigest {
    const cutAt = start + this.#settings.maxQueryLength
    const digest = this.#digester.digest(buffer, start, Math.min(end, cutAt), options, streamed || end > cutAt)
    const head = this.#byLow.get(digest.low | 0)
    for (let known = head ?? null; known !== null; known = known.next) {
      if (known.high !== digest.high) continue
      known.met = true
      return known
    }
    return this.#add(digest, head ?? null)
  }

  #add(digest: Digest, head: StatementDigest | null): StatementDigest {
    const fresh = new StatementDigest(digest, this.#settings.maxDigestLength, head)
    this.#byLow.set(digest.low | 0, fresh)
    this.#size++
    this.#bytes += fresh.size
    this.#makeRoom()
    return fresh
  }

  #makeRoom(): void {
    while (this.#size > this.#settings.maxEntries || (this.#bytes > TEXT_BYTES_MAX && this.#size > 1)) this.#advance()
  }

  /** One step of the hand: what was met since it came by last stays for another round. */
  #advance(): void {
    const { value, done } = this.#hand.next()
    if (done === true) this.#hand = this.#byLow.values()
    else if (value.met) value.met = false
    else this.#evict(value)
  }

  #evict(head: StatementDigest): void {
    if (head.next === null) this.#byLow.delete(head.low | 0)
    else this.#byLow.set(head.low | 0, head.next)
    this.#size--
    this.#bytes -= head.size
    this.evictions++
  }
}

/** At most so many bytes, without the part of a character at their end. */
function wholeCharacters({ bytes, length }: Digest, max: number): number {
  if (length <= max) return length
  let end = max
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--
  return end
}
