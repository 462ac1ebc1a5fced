/**
 * Server errors this library and its users answer with. Numbers, SQLSTATEs and texts are those of MySQL's
 * `share/messages_to_clients.txt`; CR_* ones are the client library's (`include/errmsg.h`).
 */
export interface ServerError {
  readonly errno: number
  readonly sqlState: string
}

export const ServerErrors = {
  CON_COUNT_ERROR: { errno: 1040, sqlState: '08004' },
  HANDSHAKE_ERROR: { errno: 1043, sqlState: '08S01' },
  DBACCESS_DENIED_ERROR: { errno: 1044, sqlState: '42000' },
  ACCESS_DENIED_ERROR: { errno: 1045, sqlState: '28000' },
  NO_DB_ERROR: { errno: 1046, sqlState: '3D000' },
  UNKNOWN_COM_ERROR: { errno: 1047, sqlState: '08S01' },
  BAD_DB_ERROR: { errno: 1049, sqlState: '42000' },
  SERVER_SHUTDOWN: { errno: 1053, sqlState: '08S01' },
  PARSE_ERROR: { errno: 1064, sqlState: '42000' },
  NO_SUCH_THREAD: { errno: 1094, sqlState: 'HY000' },
  UNKNOWN_ERROR: { errno: 1105, sqlState: 'HY000' },
  HOST_IS_BLOCKED: { errno: 1129, sqlState: 'HY000' },
  HOST_NOT_PRIVILEGED: { errno: 1130, sqlState: 'HY000' },
  NET_PACKET_TOO_LARGE: { errno: 1153, sqlState: '08S01' },
  NET_PACKETS_OUT_OF_ORDER: { errno: 1156, sqlState: '08S01' },
  NET_UNCOMPRESS_ERROR: { errno: 1157, sqlState: '08S01' },
  NET_READ_ERROR: { errno: 1158, sqlState: '08S01' },
  NET_READ_INTERRUPTED: { errno: 1159, sqlState: '08S01' },
  NET_ERROR_ON_WRITE: { errno: 1160, sqlState: '08S01' },
  NET_WRITE_INTERRUPTED: { errno: 1161, sqlState: '08S01' },
  NEW_ABORTING_CONNECTION: { errno: 1184, sqlState: '08S01' },
  USER_LIMIT_REACHED: { errno: 1226, sqlState: '42000' },
  SPECIFIC_ACCESS_DENIED_ERROR: { errno: 1227, sqlState: '42000' },
  UNKNOWN_STMT_HANDLER: { errno: 1243, sqlState: 'HY000' },
  NOT_SUPPORTED_AUTH_MODE: { errno: 1251, sqlState: '08004' },
  OPTION_PREVENTS_STATEMENT: { errno: 1290, sqlState: 'HY000' },
  QUERY_INTERRUPTED: { errno: 1317, sqlState: '70100' },
  CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: { errno: 1792, sqlState: '25006' },
  MUST_CHANGE_PASSWORD: { errno: 1820, sqlState: 'HY000' },
  MALFORMED_PACKET: { errno: 1835, sqlState: 'HY000' },
  MUST_CHANGE_PASSWORD_LOGIN: { errno: 1862, sqlState: 'HY000' },
  CR_SERVER_GONE_ERROR: { errno: 2006, sqlState: 'HY000' },
  CR_VERSION_ERROR: { errno: 2007, sqlState: 'HY000' },
  CR_SERVER_HANDSHAKE_ERR: { errno: 2012, sqlState: 'HY000' },
  CR_SERVER_LOST: { errno: 2013, sqlState: 'HY000' },
  CR_SSL_CONNECTION_ERROR: { errno: 2026, sqlState: 'HY000' },
  CR_MALFORMED_PACKET: { errno: 2027, sqlState: 'HY000' },
  CR_AUTH_PLUGIN_CANNOT_LOAD: { errno: 2059, sqlState: 'HY000' },
  CR_AUTH_PLUGIN_ERR: { errno: 2061, sqlState: 'HY000' },
  ACCOUNT_HAS_BEEN_LOCKED: { errno: 3118, sqlState: 'HY000' },
  SECURE_TRANSPORT_REQUIRED: { errno: 3159, sqlState: 'HY000' },
  CLIENT_INTERACTION_TIMEOUT: { errno: 4031, sqlState: 'HY000' },
} as const satisfies Record<string, ServerError>

/**
 * The peer broke the protocol's rules. `errno` and `sqlState` say what to answer with, where an answer is possible;
 * the connection is of no further use.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  /** Short and stable, for logs and counters, such as `truncated`, `malformed`, `out-of-order`. */
  readonly code: string
  readonly errno: number
  readonly sqlState: string

  constructor(code: string, message: string, answer: ServerError = ServerErrors.MALFORMED_PACKET) {
    super(message)
    this.code = code
    this.errno = answer.errno
    this.sqlState = answer.sqlState
  }
}
