import type { Engine } from '../../../src/sandbox/index.js'

/** A difference that is there for a reason, which docs/compatibility.md tells where it is Sluice's. All that is given has to fit. */
export interface Known {
  readonly reason: string
  readonly engine?: Engine
  /** Name of the file. */
  readonly file?: RegExp
  /** What was printed through Sluice. */
  readonly through?: RegExp
}

export const KNOWN: readonly Known[] = [
  {
    reason: 'server connections are kept for the next client, so Threads_connected does not go down with the sessions',
    through: /Timeout in wait_until_count_sessions\.inc/,
  },
  {
    reason: 'the process list shows the connections that Sluice keeps, and ids that it has used',
    file: /^main\/(show_processlist_state|sp-threads|bug17666696|processlist\w*)$/,
  },
  {
    reason: 'SET GLOBAL holds for the primary: what a replica reads goes by its own max_allowed_packet',
    file: /^main\/(cast|func_str)$/,
  },
  { reason: 'a primary that is read only is waited for', file: /^main\/(alter_user|events_read_only)$/ },
  {
    reason: 'session counters are those of a server connection, which others have used and reads do not share',
    file: /^main\/(handler_read_last|group_by|sp-library-count|mysql_ssl_default|user_var)$/,
  },
  {
    reason: 'EXPLAIN tells the plan of the replica that would answer, by the statistics that it has',
    file: /^main\/(explain_tree\w*|null_key_\w+|func_in_\w+|group_(by|min_max)_\w+|derived_split_innodb|ctype_utf16)$/,
  },
  {
    reason: 'times that the server has measured, of which the metadata shows the width',
    file: /^main\/analyze_(format_json|stmt_orderby|engine_stats)$/,
  },
  {
    reason: 'CREATE TABLE ... SELECT is replicated as a definition of its own, which may give columns another width',
    file: /^main\/metadata$/,
  },
  { reason: 'a salted hash is never the same', file: /^main\/user_comment$/ },
  { reason: 'mysql_old_password gets 1251', engine: 'mariadb', file: /^main\/change_user$/ },
  { reason: 'KILL USER ends connections, not sessions', engine: 'mariadb', file: /^main\/kill$/ },
  {
    reason: 'Sluice tells a client that tracks other variables than the default ones only of these',
    file: /^main\/mysqltest_tracking_info$/,
  },
  {
    reason: 'it breaks the accounts, that of the monitor among them',
    engine: 'mariadb',
    file: /^main\/bad_user_table$/,
  },
  {
    reason: 'it puts files into the data folder of one server',
    engine: 'mariadb',
    file: /^main\/(alter_table_upgrade_myisam|bad_frm_crash_5029)$/,
  },
  {
    reason: 'performance_schema.session_connect_attrs and the protocol of the connection are those of Sluice',
    engine: 'mysql',
    file: /^main\/(mysql_os_user_unix|connection_compression_zstd|mysqlslap_bugs)$/,
  },
  { reason: 'a server gives the warning once', engine: 'mysql', file: /^main\/foreign_key_sql_child_trig$/ },
]
