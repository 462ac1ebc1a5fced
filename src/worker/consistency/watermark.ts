import { addGtidsInOrder, formatGtidSet, type GtidSet, gtidSetContains, parseGtidSet } from '../../shared/gtid.js'
import type { Flavor } from '../../shared/snapshot.js'
import type { KnownServer } from '../routing/known-server.js'
import type { Candidate } from '../routing/topology-view.js'

/** Whoever writes for days must not keep a GTID for each write: older ones are told by their time. */
const GTIDS_MAX = 64

/**
 * What a reader must not fall behind of: what was written, and what was seen. A replica has it when both hold:
 *
 * - Written: its executed set contains the writes' GTIDs (MySQL's session tracker and MariaDB's last_gtid tell them), or it
 *   has all that the primary had executed at a moment after the last write (`coversPrimaryAt`, which works without a word
 *   of GTIDs in the answer, and for GTIDs of a history that a failover has ended).
 * - Seen: it is the server that was read from last, which only moves on as long as it is neither restarted nor replaced
 *   (`incarnation`); or it has all that the primary had at a moment after the last read's answer had ended. Data that were
 *   in the answer were committed before that, on the primary or on the way from it. What was seen on the primary, which
 *   moves on while others write, is told by time alone. The OK of a write shows nothing of others' data, so it does not
 *   count as seen.
 *
 * A server shows a transaction a moment before it counts it as executed, and a replica may show one before its primary does:
 * what a primary "had" includes the transactions that it is committing (MySQL: gtid_owned; MariaDB puts a transaction into
 * gtid_binlog_pos before anybody sees it).
 *
 * Times are compared with `>`: equal ones leave open which of the two came first. The primary needs no proof. A server that
 * becomes the primary has what a primary can have; times that refer to its predecessor are not counted for it, since the
 * monitor begins anew with each primary.
 */
export class Watermark {
  /** Monotonic ms of the last write; -1: none. */
  lastWriteAt = -1
  /** GTIDs of the last writes; null when not all of them are known. */
  writtenGtids: GtidSet | null = null
  /** Monotonic ms of the last write whose GTID is not in `writtenGtids`: it has to be covered by time. -1: none. */
  olderWritesAt = -1
  /** Monotonic ms of the end of the last read's answer; -1: none. */
  seenAt = -1
  /** Monotonic ms: what was shown from the result cache was committed before; -1: nothing was. */
  shownUntil = -1
  #seenOn: KnownServer | null = null
  #seenIncarnation = 0
  #gtidsKept = 0
  /** Servers known to have what was written, and as which incarnation. Emptied by each write. */
  #caughtUp: Map<KnownServer, number> | null = null
  /** Goes up with every change that another reader or writer may have made meanwhile. */
  version = 0

  /** Whether nothing is asked of a replica. */
  get isEmpty(): boolean {
    return this.lastWriteAt < 0 && this.seenAt < 0 && this.shownUntil < 0
  }

  /**
   * Whether a server is known to have all of it.
   * @param pinnedUntil where nothing is known of what the server covers: monotonic ms of events that are taken for covered
   */
  isMetBy(candidate: Candidate, pinnedUntil = -1): boolean {
    return this.hasSeen(candidate, pinnedUntil) && this.hasWritten(candidate, pinnedUntil)
  }

  hasSeen({ target: { known }, coversPrimaryAt }: Candidate, pinnedUntil = -1): boolean {
    const { shownUntil } = this
    const lacksShown = coversPrimaryAt < 0 ? pinnedUntil <= shownUntil : coversPrimaryAt <= shownUntil
    if (shownUntil >= 0 && lacksShown) return false
    if (known === this.#seenOn && known.incarnation === this.#seenIncarnation) return true
    return this.seenAt < 0 || coversPrimaryAt > this.seenAt || (coversPrimaryAt < 0 && pinnedUntil > this.seenAt)
  }

  hasWritten(candidate: Candidate, pinnedUntil = -1): boolean {
    if (this.lastWriteAt < 0 || this.isCaughtUp(candidate.target.known)) return true
    const { coversPrimaryAt } = candidate
    const covered =
      coversPrimaryAt > this.lastWriteAt ||
      (coversPrimaryAt < 0 && pinnedUntil > this.lastWriteAt) ||
      (this.gtidsSuffice(candidate) && candidate.gtids !== null && gtidSetContains(candidate.gtids, this.writtenGtids!))
    if (covered) this.noteCaughtUp(candidate.target.known)
    return covered
  }

  /** Whether the GTIDs that are known are all that a server needs to have the writes. */
  gtidsSuffice({ coversPrimaryAt }: Candidate): boolean {
    return this.writtenGtids !== null && (this.olderWritesAt < 0 || coversPrimaryAt > this.olderWritesAt)
  }

  /** The GTIDs to wait for, as text for a server; empty: they are not all known. */
  get gtidText(): string {
    return this.writtenGtids === null ? '' : formatGtidSet(this.writtenGtids)
  }

  isCaughtUp(server: KnownServer): boolean {
    return this.#caughtUp !== null && this.#caughtUp.get(server) === server.incarnation
  }

  noteCaughtUp(server: KnownServer): void {
    this.#caughtUp ??= new Map()
    this.#caughtUp.set(server, server.incarnation)
  }

  /** Notes the end of an answer that came from the primary. */
  sawOnPrimary(now: number): void {
    this.seenAt = now
    this.shownUntil = -1
    this.#seenOn = null
    this.version++
  }

  /**
   * Notes the end of an answer that came from a replica.
   * @param had the replica had all of this when the statement was sent, and the answer took no part in a change since
   */
  sawOnReplica(known: KnownServer, incarnation: number, now: number, had: boolean): void {
    const stays = this.#seenOn === known && this.#seenIncarnation === incarnation
    this.seenAt = now
    if (stays) return
    this.version++
    this.#seenOn = had ? known : null
    this.#seenIncarnation = incarnation
  }

  /** Notes that an answer from the result cache was shown, with nothing in it that was committed later. */
  sawCached(shownUntil: number): void {
    if (shownUntil <= this.shownUntil) return
    this.shownUntil = shownUntil
    this.version++
  }

  /** The replica that has all that was seen, as far as that is one; null: none is known. */
  get seenOn(): KnownServer | null {
    return this.#seenOn
  }

  /**
   * Notes a write: from `now` on, replicas have to prove that they have it.
   * @param gtids the GTIDs that the server gave for it; empty when it gave none
   */
  wrote(now: number, gtids: string, flavor: Flavor): void {
    this.#caughtUp = null
    this.version++
    if (gtids === '') this.writtenGtids = null
    else if (this.#addGtids(gtids, flavor)) this.#gtidsKept++
    else {
      this.olderWritesAt = this.lastWriteAt
      this.writtenGtids = parseGtidSet(gtids, flavor)
      this.#gtidsKept = 1
    }
    this.lastWriteAt = Math.max(now, this.lastWriteAt)
  }

  /** @returns false: they are to begin a new set */
  #addGtids(gtids: string, flavor: Flavor): boolean {
    const { writtenGtids } = this
    if (writtenGtids === null || writtenGtids.flavor !== flavor || this.#gtidsKept >= GTIDS_MAX) return false
    return addGtidsInOrder(writtenGtids, gtids)
  }

  /** Takes over all that another one asks for, which is not changed any more. */
  inherit(from: Watermark): void {
    this.lastWriteAt = from.lastWriteAt
    this.writtenGtids = from.writtenGtids
    this.olderWritesAt = from.olderWritesAt
    this.#gtidsKept = from.#gtidsKept
    this.seenAt = from.seenAt
    this.shownUntil = from.shownUntil
    this.#seenOn = from.#seenOn
    this.#seenIncarnation = from.#seenIncarnation
  }
}
