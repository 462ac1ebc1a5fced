import {
  ColumnFlag,
  type ColumnInput,
  collationById,
  defaultCollationOfCharset,
  encodeTextResultSet,
  ServerStatus,
} from '../../../protocol/index.js'
import type { Flavor } from '../../shared/snapshot.js'
import { Effect, StatementKind } from '../../sql/index.js'
import { agreedAlgorithm } from '../backend/compressors.js'
import type { ClientSocket } from '../client/client-socket.js'
import type { Execution } from '../execution/execution.js'
import type { SessionState } from '../state/session-state.js'
import { shortText, withoutComments } from './sluice-variables.js'

/*
 * SHOW STATUS of what is agreed on between a client and whom it is connected to: its cipher, its compression. A server knows
 * of these for its own connection, which is one of Sluice's; what is asked for alone is answered here, as a server would.
 */

/** What of a client's connection is told. */
export type Connection = Pick<ClientSocket, 'cipher' | 'compressionLevel'>

const SHOW_STATUS =
  /^\s*show\s+(?:(?:session|local)\s+)?status\s+(like|where\s+`?variable_name`?\s*(?:=|like))\s*(['"])(\w+)\2\s*;?\s*$/i

/** The answer to the text in hand where it asks for one of these; null: it is for a server. */
export function connectionStatus(execution: Execution, client: Connection, flavor: Flavor): Buffer | null {
  const { command, text, state, facts } = execution
  if (command.kind !== StatementKind.diagnostics || (command.effects & Effect.readsDiagnostics) === 0) return null
  const sql = shortText(command, text)
  const found = sql === null ? null : SHOW_STATUS.exec(withoutComments(sql))
  const row = found === null ? null : rowOf(found[3].toLowerCase(), client, text.capabilities, flavor)
  const columns = row === null ? null : columnsFor(state, flavor)
  if (row === null || columns === null) return null
  const { statusFlags } = facts
  // MySQL finds a name in an index, and a pattern by looking through all; MariaDB has no index.
  const noIndex = flavor === 'mariadb' || !found![1].endsWith('=') ? ServerStatus.QUERY_NO_INDEX_USED : 0
  return encodeTextResultSet(columns, [row], text.capabilities, {
    statusFlags,
    columnsStatusFlags: statusFlags | noIndex,
    mariadbCapabilities: text.mariadbCapabilities,
  })
}

function rowOf(asked: string, client: Connection, capabilities: number, flavor: Flavor): [string, string] | null {
  const algorithm = agreedAlgorithm(capabilities)
  switch (asked) {
    case 'ssl_cipher':
      return ['Ssl_cipher', client.cipher?.name ?? '']
    case 'ssl_version':
      return ['Ssl_version', client.cipher?.protocol ?? '']
    case 'compression':
      return ['Compression', algorithm === null ? 'OFF' : 'ON']
    case 'compression_algorithm':
      return flavor === 'mysql' ? ['Compression_algorithm', algorithm ?? ''] : null
    case 'compression_level':
      return flavor === 'mysql' ? ['Compression_level', String(client.compressionLevel)] : null
    default:
      return null
  }
}

/** The columns of SHOW STATUS, as MySQL 9.7 and MariaDB 10.11 describe them; lengths are in characters. */
const SHAPE: Readonly<Record<Flavor, { schema: string; table: string; names: [string, string]; valueLength: number }>> =
  {
    mysql: {
      schema: 'performance_schema',
      table: 'session_status',
      names: ['Variable_name', 'Value'],
      valueLength: 1024,
    },
    mariadb: {
      schema: 'information_schema',
      table: 'SESSION_STATUS',
      names: ['VARIABLE_NAME', 'VARIABLE_VALUE'],
      valueLength: 4096,
    },
  }
const NAME_LENGTH = 64
/** Of the view's columns that cannot be NULL. */
const REQUIRED = ColumnFlag.NOT_NULL | ColumnFlag.NO_DEFAULT_VALUE

/** Bytes of a character at most, of the character sets whose ASCII part is ASCII and that clients use. */
const CHARACTER_BYTES: Readonly<Record<string, number>> = {
  utf8mb4: 4,
  utf8mb3: 3,
  latin1: 1,
  ascii: 1,
  latin2: 1,
  cp1250: 1,
  cp1251: 1,
  koi8r: 1,
  greek: 1,
  big5: 2,
  gbk: 2,
  sjis: 2,
  cp932: 2,
  euckr: 2,
  gb2312: 2,
  ujis: 3,
  gb18030: 4,
}

/** null: in a character set that is left to the servers. */
function columnsFor(state: SessionState, flavor: Flavor): ColumnInput[] | null {
  const collation = resultsCollation(state, flavor)
  const bytes = CHARACTER_BYTES[collationById(collation, flavor)?.charset ?? '']
  if (bytes === undefined) return null
  const { schema, table, names, valueLength } = SHAPE[flavor]
  const shared = { schema, table, orgTable: table, collation, decimals: 0 }
  const valueFlags = flavor === 'mysql' ? 0 : REQUIRED
  return [
    { ...shared, name: 'Variable_name', orgName: names[0], length: NAME_LENGTH * bytes, flags: REQUIRED },
    { ...shared, name: 'Value', orgName: names[1], length: valueLength * bytes, flags: valueFlags },
  ]
}

/** The collation that results are described with; -1: it is not known here. */
function resultsCollation({ variables, names, collation }: SessionState, flavor: Flavor): number {
  const set = variables?.get('character_set_results') ?? names?.split(' ')[0]
  if (set === undefined || set === null) return collation
  return defaultCollationOfCharset(set.replaceAll(/['"`]/g, ''), flavor) ?? -1
}
