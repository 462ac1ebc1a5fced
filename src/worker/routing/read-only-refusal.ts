import { type ErrPacket, ServerErrors, ServerStatus } from '../../../protocol/index.js'
import type { Flavor } from '../../shared/snapshot.js'

const { OPTION_PREVENTS_STATEMENT, CANT_EXECUTE_IN_READ_ONLY_TRANSACTION } = ServerErrors

/** The option's name is the same in every language of a server's messages. */
const READ_ONLY_OPTION = /--(?:super[-_])?read[-_]only/

/** Whether a server has refused a statement for its `read_only`, whoever sent it. */
export function isRefusedByOption({ errno, message }: Pick<ErrPacket, 'errno' | 'message'>): boolean {
  return errno === OPTION_PREVENTS_STATEMENT.errno && READ_ONLY_OPTION.test(message)
}

/** The servers' texts for 1792 (ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION). */
const MESSAGE: Readonly<Record<Flavor, string>> = {
  mysql: 'Cannot execute statement in a READ ONLY transaction.',
  mariadb: 'Cannot execute statement in a READ ONLY transaction',
}

/**
 * A replica looks at its own `read_only` before it looks at the transaction's. A client that began a transaction as READ
 * ONLY knows nothing of the replica, and is told what the primary would have told it.
 * @param status SERVER_STATUS_* flags of the session when the statement was sent
 * @returns what a replica's error is to be replaced with; null: it stays
 */
export function asRefusedByPrimary(err: ErrPacket, status: number, flavor: Flavor): ErrPacket | null {
  if (!isRefusedByOption(err) || (status & ServerStatus.IN_TRANS_READONLY) === 0) return null
  return { ...CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, message: MESSAGE[flavor] }
}
