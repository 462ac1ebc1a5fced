import { LRUCache } from 'lru-cache'
import { Digester, type LexicalOptions } from '../sql/index.js'
import type { CommandInHand } from './command.js'
import { ReadTime } from './read-time.js'
import type { StatementText } from './statement-text.js'
import type { PreparedStatement } from './statements.js'

/** Digests whose time is known; the one that was not seen for longest is forgotten for a new one. */
const DIGESTS_MAX = 10_000
/** Where the text begins in a COM_STMT_PREPARE packet. */
const PREPARED_TEXT_AT = 5

/** How long reads take, by digest. */
export class ReadTimes {
  readonly #times = new LRUCache<string, ReadTime>({ max: DIGESTS_MAX })
  readonly #digester = new Digester()

  /** The time of the command's statement; null: it has no text. */
  of(command: CommandInHand, statement: PreparedStatement | null, text: StatementText): ReadTime | null {
    if (statement !== null) {
      const { shared } = statement
      shared.time ??= this.#at(shared.packet, PREPARED_TEXT_AT, shared.packet.length, text.options)
      return shared.time
    }
    const start = text.textStart(command)
    return start < 0 ? null : this.#at(command.buffer, start, command.end, text.options)
  }

  #at(buffer: Buffer, start: number, end: number, options: LexicalOptions): ReadTime {
    const { high, low } = this.#digester.digest(buffer, start, end, options)
    const key = `${high} ${low}`
    let time = this.#times.get(key)
    if (time === undefined) {
      time = new ReadTime()
      this.#times.set(key, time)
    }
    return time
  }
}
