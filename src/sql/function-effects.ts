import { Effect } from './kinds.js'

/** Where the parts of a statement demand that it run; the strongest wins. */
export const Demand = {
  none: 0,
  /** Where the statement before ran. */
  last: 1,
  primary: 2,
  /** May write. */
  write: 3,
} as const

/** What a call of a built-in function means. `without` holds for a call without arguments, `with` for one with. */
export interface FunctionEffect {
  readonly without: number
  readonly with: number
  readonly demand: number
}

function always(effects: number, demand: number = Demand.none): FunctionEffect {
  return { without: effects, with: effects, demand }
}

/** A word's code holds the number of a row; row 0: a pure function. Names in lower case. */
const ROWS: readonly (readonly [names: string, effect: FunctionEffect])[] = [
  ['', always(0)],
  [
    'now sysdate curdate curtime current_date current_time current_timestamp localtime localtimestamp utc_date utc_time ' +
      'utc_timestamp rand uuid uuid_short uuid_v4 uuid_v7 sys_guid random_bytes sleep current_role ' +
      'master_pos_wait source_pos_wait master_gtid_wait wait_for_executed_gtid_set wait_until_sql_thread_after_gtids ' +
      'wsrep_last_seen_gtid wsrep_sync_wait_upto_gtid ps_thread_id encrypt password',
    always(Effect.nonDeterministic),
  ],
  ['unix_timestamp', { without: Effect.nonDeterministic, with: 0, demand: Demand.none }],
  ['get_lock', always(Effect.advisoryLock | Effect.nonDeterministic, Demand.primary)],
  ['release_lock release_all_locks', always(Effect.releasesAdvisoryLock | Effect.nonDeterministic, Demand.primary)],
  // Locks, files and the binary log belong to one server: the primary's are meant.
  ['is_free_lock is_used_lock load_file binlog_gtid_pos', always(Effect.nonDeterministic, Demand.primary)],
  ['last_insert_id', { without: Effect.readsLastInsertId, with: Effect.setsLastInsertId, demand: Demand.primary }],
  ['wsrep_last_written_gtid', always(Effect.readsLastInsertId, Demand.primary)],
  ['row_count', always(Effect.readsRowCount, Demand.last)],
  ['found_rows', always(Effect.readsFoundRows, Demand.last)],
  ['connection_id ps_current_thread_id', always(Effect.readsConnectionId)],
  ['nextval setval', always(Effect.sequence, Demand.write)],
  ['lastval', always(Effect.sequence, Demand.primary)],
  // The default may be a sequence's next value (MariaDB), which it takes to tell it.
  ['default', always(Effect.sequence, Demand.write)],
]

export const FUNCTION_EFFECTS: readonly FunctionEffect[] = ROWS.map(([, effect]) => effect)

/** The row of each function that has one. */
export const FUNCTION_EFFECT_ROW: ReadonlyMap<string, number> = new Map(
  ROWS.flatMap(([names], row) => names.split(' ').map((name) => [name, row] as const)).filter(([name]) => name !== ''),
)

/** Those that have their effect without parentheses as well. */
export const EFFECT_WITHOUT_PARENTHESES =
  'current_date current_time current_timestamp localtime localtimestamp utc_date utc_time utc_timestamp current_role'
