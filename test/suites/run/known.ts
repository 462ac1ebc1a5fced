import type { Engine } from '../../../src/sandbox/index.js'
import type { Difference } from './compare.js'

/** A difference that is there for a reason, which docs/compatibility.md tells where it is Sluice's. */
export interface Known {
  readonly reason: string
  readonly engine?: Engine
  /** Name of the file. */
  readonly file?: RegExp
  /** What each of the lines has in it that were printed directly or through Sluice in the place of others. */
  readonly lines?: RegExp
  /** What was printed where the file ended through Sluice, and went on directly. */
  readonly end?: RegExp
}

export const KNOWN: readonly Known[] = [
  {
    reason: 'SET GLOBAL holds for the primary: what a replica reads goes by its own max_allowed_packet',
    file: /^main\/(cast|func_str)$/,
    lines: /^(def\t.*|CONVERT\(.*|NULL|a[ \0]*|affected rows: 1|Warnings:|Warning\t1301\t.*max_allowed_packet.*)$/,
  },
  {
    reason: 'a primary that is read only is waited for, and one that is offline does not answer',
    end: /sluice: .* lost: the server does not answer|Max connect timeout reached/,
  },
  {
    reason: 'a lost connection to a server is told by an error on a connection that stays open',
    engine: 'mariadb',
    end: /failed with wrong errno ER_CONNECTION_KILLED \(1927\): 'sluice: /,
  },
  {
    reason: 'memory and counters are those of the connection to the server',
    engine: 'mariadb',
    file: /^main\/user_var$/,
    lines: /^def\t+\d+ < \d+\t/,
  },
  {
    reason: 'times that the server has measured, which are left out, but not from the width in the metadata',
    lines: /^def\t+(EXPLAIN|ANALYZE)\t\d+\t\d+\t\d+\t/,
  },
  {
    reason: 'EXPLAIN tells the plan of the replica that would answer, by the statistics that it has',
    engine: 'mariadb',
    file: /^main\/derived_split_innodb$/,
    lines: /^(def\t.*|\d+\t(LATERAL )?DERIVED\t.*|affected rows: \d+)$/,
  },
  {
    reason: 'the same',
    engine: 'mariadb',
    file: /^(vcol\/vcol_select_innodb|main\/(subselect_sj2\w*|subselect_mat_cost_bugs|selectivity_no_engine))$/,
    lines: /^(def\t.*|\d+\t(SIMPLE|PRIMARY|UNION|(DEPENDENT )?SUBQUERY|DERIVED|MATERIALIZED)\t.*|Note\t1003\t.*)$/,
  },
  {
    reason: 'without ORDER BY rows come in the order that the replica has them in',
    engine: 'mariadb',
    file: /^vcol\/vcol_ins_upd_innodb$/,
    lines: /^(\d+)\t-\1\t-\1$/,
  },
  {
    reason: 'a generated column that sets user variables sets them where the read runs',
    engine: 'mariadb',
    file: /^vcol\/vcol_trigger_sp_(innodb|myisam)$/,
    lines: /^(def\t+@[abc]\t8\t.*|@a\t@b\t@c|\d+\t\d+\t\d+)$/,
  },
  {
    reason: 'mysqltest tells the errno that its last call has left, of whatever sort',
    lines: /^mysqltest: At line \d+: exec of .* failed, error: \d+, status: \d+, errno: \d+$/,
  },
  {
    reason: 'CREATE TABLE ... SELECT is replicated as a definition of its own, which may give columns another width',
    engine: 'mariadb',
    file: /^main\/(metadata|ps_\d\w+)$/,
    lines: /^def\ttest\t(t1\tt1\t@a:=1e0|t5\tt5\t(const03\tconst03|param03\tparam03))\t/,
  },
  {
    reason: 'a view of the process list is read on a replica',
    engine: 'mariadb',
    file: /^main\/information_schema_db$/,
    lines: /^(def\t.*\tv\d[di]\t.*|def\t\tv\d.*|current_user\(\)\tuser|(root|foo)@localhost\t.*|affected rows: \d+)$/,
  },
  {
    reason: 'KILL USER ends connections, not sessions',
    engine: 'mariadb',
    file: /^main\/kill$/,
    end: /failed with wrong errno ER_ACCESS_DENIED_ERROR \(1045\)/,
  },
  {
    reason: 'Sluice tells a client that tracks other variables than the default ones only of these',
    engine: 'mariadb',
    file: /^main\/mysqltest_tracking_info$/,
    lines: /^(-- .*|)$/,
  },
  {
    reason: 'Sluice offers TLS where the server does not',
    engine: 'mariadb',
    file: /^main\/ssl_7937$/,
    lines: /^(mysql .*|ERROR 2026 .*|have_ssl|yes|no|#.*|)$/,
  },
  { reason: 'mysql_old_password gets 1251', engine: 'mariadb', end: /\(1251\): sluice: .* passwords from before 4\.1/ },
  {
    reason: 'the process list shows the connections that Sluice keeps, and not the idle sessions',
    file: /^main\/(show_processlist_state|sp-threads|processlist\w*)$/,
    lines: /^((ID|#)\troot\t.*|affected rows: \d+)$/,
  },
  {
    reason:
      'once a connection is reset, MySQL 9.7 leaves foreign keys to InnoDB: no triggers, and a row that is ignored counts',
    engine: 'mysql',
    file: /^main\/foreign_key_sql_child_trig$/,
    lines: /\tlogtable\t|^(action|childn?-|affected rows: |DELETE FROM logtable)|^Warning\t(1681|4166)\t/,
    end: /was expected to fail, but succeeded/,
  },
  {
    reason: 'the same',
    engine: 'mysql',
    file: /^main\/ignore_strict$/,
    lines: /^info: Records: [12] {2}Duplicates: [01] {2}Warnings: 1$/,
  },
  {
    reason: 'compression, TLS and client of the connection to the server are those of Sluice',
    engine: 'mysql',
    file: /^main\/(mysql_os_user_unix|connection_compression_zstd|mysqlslap_bugs)$/,
    lines: /^(must_be_)?gizmo$/,
    end: /Invalid compression algorithm 'uncompressed'|SSL not as expected/,
  },
]

export function isKnown({ direct, through, isLast }: Difference, engine: Engine, file: string): boolean {
  return KNOWN.some(
    (known) =>
      (known.engine ?? engine) === engine &&
      (known.file ?? /^/).test(file) &&
      ((known.lines !== undefined && [...direct, ...through].every((line) => known.lines!.test(line))) ||
        (known.end !== undefined && isLast && known.end.test(through.join('\n')))),
  )
}
