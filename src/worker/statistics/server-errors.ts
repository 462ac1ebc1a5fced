import { boundedCache } from '../../shared/bounded-cache.js'
import type { ServerId } from '../../shared/snapshot.js'
import type { ErrorRow } from '../../shared/worker-tables.js'
import type { Scope } from './digest-statistics.js'

/** Rows that are kept; the one that was not met for longest makes room. */
const ROWS_MAX = 1_000
/** What is kept of a message, in characters (MYSQL_ERRMSG_SIZE). */
const MESSAGE_LENGTH_MAX = 512

interface Counted {
  readonly scope: Scope
  readonly hostgroup: number
  readonly server: ServerId
  readonly errno: number
  readonly firstSeen: number
  lastSeen: number
  count: number
  lastError: string
}

/** Errors that servers have answered, by server, user, schema and number. Times in milliseconds since 1970. */
export class ServerErrors {
  #rows = boundedCache<string, Counted>(ROWS_MAX)

  note(scope: Scope, hostgroup: number, server: ServerId, errno: number, message: string, dateMs: number): void {
    const { user, schema, client } = scope
    const key = [hostgroup, server, errno, user, schema, client].join('\0')
    let row = this.#rows.get(key)
    if (row === undefined) {
      row = { scope, hostgroup, server, errno, firstSeen: dateMs, lastSeen: dateMs, count: 0, lastError: '' }
      this.#rows.set(key, row)
    }
    row.count++
    row.lastSeen = dateMs
    row.lastError = message.slice(0, MESSAGE_LENGTH_MAX)
  }

  /** `reset`: counting begins anew. */
  report(reset: boolean): ErrorRow[] {
    const rows = [...this.#rows.values()]
    if (reset) this.#rows = boundedCache<string, Counted>(ROWS_MAX)
    return rows.map(({ scope, ...row }) => ({ ...row, user: scope.user, schema: scope.schema, client: scope.client }))
  }
}
