import { ADMIN_VERSION } from '../admin-version.js'
import { STATEMENT_LENGTH_MAX } from './tokens.js'

/** What this port calls itself in `SELECT @@version_comment`, the first statement of the mysql client. */
export const VERSION_COMMENT = '(Sluice Admin)'

/**
 * MySQL's variables that drivers ask for when they connect (Connector/J, Connector/NET, MariaDB's connectors, PyMySQL,
 * mysql2, go-sql-driver, the mysql and mariadb clients). The values are those of this port: no backslash escapes, UTF-8,
 * UTC, one statement at a time outside of any transaction.
 */
const SYSTEM_VARIABLES: Readonly<Record<string, string>> = {
  auto_increment_increment: '1',
  auto_increment_offset: '1',
  autocommit: '1',
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
  character_set_database: 'utf8mb4',
  character_set_results: 'utf8mb4',
  character_set_server: 'utf8mb4',
  character_set_system: 'utf8mb3',
  collation_connection: 'utf8mb4_general_ci',
  collation_database: 'utf8mb4_general_ci',
  collation_server: 'utf8mb4_general_ci',
  foreign_key_checks: '1',
  have_query_cache: 'NO',
  init_connect: '',
  innodb_read_only: '0',
  interactive_timeout: '28800',
  license: 'Apache-2.0',
  lower_case_table_names: '0',
  max_allowed_packet: String(STATEMENT_LENGTH_MAX),
  net_buffer_length: '16384',
  net_read_timeout: '30',
  net_write_timeout: '60',
  performance_schema: '0',
  query_cache_size: '0',
  query_cache_type: 'OFF',
  read_only: '0',
  session_track_schema: '0',
  session_track_system_variables: '',
  session_track_transaction_info: 'OFF',
  sql_auto_is_null: '0',
  sql_mode: 'NO_BACKSLASH_ESCAPES,STRICT_TRANS_TABLES',
  sql_notes: '1',
  sql_quote_show_create: '1',
  sql_safe_updates: '0',
  sql_select_limit: '18446744073709551615',
  super_read_only: '0',
  system_time_zone: 'UTC',
  time_zone: 'SYSTEM',
  transaction_isolation: 'SERIALIZABLE',
  transaction_read_only: '0',
  tx_isolation: 'SERIALIZABLE',
  tx_read_only: '0',
  unique_checks: '1',
  version: ADMIN_VERSION,
  version_comment: VERSION_COMMENT,
  version_compile_machine: process.arch,
  version_compile_os: process.platform,
  wait_timeout: '28800',
  warning_count: '0',
}

/** The value of one of MySQL's variables (name in lower case, without scope); undefined: there is none of that name. */
export function systemVariable(name: string): string | undefined {
  return Object.hasOwn(SYSTEM_VARIABLES, name) ? SYSTEM_VARIABLES[name] : undefined
}
