/**
 * What a statement is. A router decides with a table over these.
 * Numbers, so that the hot path carries no strings; `StatementKindName` prints them.
 */
export const StatementKind = {
  /** Changes nothing, as far as its text tells: may run on a replica. EXPLAIN of such a statement is one too. */
  read: 0,
  /** DML, table maintenance, and every read that calls a function which may write. */
  write: 1,
  /** BEGIN, START TRANSACTION. */
  begin: 2,
  commit: 3,
  rollback: 4,
  /** SAVEPOINT, ROLLBACK TO, RELEASE SAVEPOINT. */
  savepoint: 5,
  /** SET of variables, names and character sets; the effects say of which scope. */
  set: 6,
  /** USE: the new schema is in `schemaStart`, `schemaEnd`. */
  use: 7,
  /** START TRANSACTION READ ONLY. */
  beginReadOnly: 8,
  /** SET TRANSACTION without a scope: for the next transaction only. */
  setTransaction: 9,
  /** CREATE, ALTER, DROP, GRANT and the like. Commits implicitly, save for temporary tables (see the effects). */
  ddl: 10,
  /** A read that only the primary can answer rightly: locks rows, takes advisory locks, writes a file, sets a variable. */
  primaryRead: 11,
  /** Asks for what the statement before left on its connection: SHOW WARNINGS, SHOW STATUS, ROW_COUNT(), FOUND_ROWS(). */
  diagnostics: 12,
  /** SHOW about the server: GLOBAL STATUS, VARIABLES, PROCESSLIST, BINARY LOGS, REPLICA STATUS. */
  show: 13,
  /** EXPLAIN of a statement that would write: the primary's plan is asked for, nothing changes. */
  explainWrite: 14,
  call: 15,
  /** DO of expressions that are as harmless as a read. */
  do: 16,
  lockTables: 17,
  unlockTables: 18,
  /** PREPARE name FROM ... (the text protocol's). */
  prepare: 19,
  /** EXECUTE name, EXECUTE IMMEDIATE. */
  execute: 20,
  /** DEALLOCATE PREPARE, DROP PREPARE. */
  deallocate: 21,
  handler: 22,
  xa: 23,
  /** KILL, KILL CONNECTION: the id is in `argumentStart`, `argumentEnd`. */
  kill: 24,
  /** KILL QUERY. */
  killQuery: 25,
  /** FLUSH, RESET, START REPLICA, INSTALL PLUGIN, SHUTDOWN and other orders to one server. */
  admin: 26,
  /** LOAD DATA or LOAD XML of a file of the server. */
  loadData: 27,
  /** LOAD DATA LOCAL: the server will ask the client for the file. */
  loadDataLocal: 28,
  /** Nothing but blanks and comments. */
  empty: 29,
  /** Several statements in one text; the effects are those of all. */
  multi: 30,
  /** Not understood, malformed or cut off: to be treated as a write that may leave any state behind. */
  unknown: 31,
} as const

/** The name of each kind, by its number. */
export const StatementKindName: readonly string[] = Object.entries(StatementKind)
  .sort((a, b) => a[1] - b[1])
  .map(([name]) => name)

/** Facts of the text, a bit mask below 2^31. They hold for the whole text, whatever its kind. */
export const Effect = {
  /** FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE. */
  lockingRead: 1 << 0,
  /** INTO OUTFILE, INTO DUMPFILE: writes a file on the server's disk. */
  intoFile: 1 << 1,
  /** A user variable gets a value that only the server knows: `@v := x`, `INTO @v`, `SET @v = expression`. */
  setsUserVariable: 1 << 2,
  /** `SET @v = literal`: can be replayed on another connection. */
  setsUserVariableLiteral: 1 << 3,
  readsUserVariable: 1 << 4,
  /** GET_LOCK. */
  advisoryLock: 1 << 5,
  /** RELEASE_LOCK, RELEASE_ALL_LOCKS. */
  releasesAdvisoryLock: 1 << 6,
  /** LAST_INSERT_ID(), @@last_insert_id, @@identity, @@last_gtid: left by the session's last write on its connection. */
  readsLastInsertId: 1 << 7,
  /** LAST_INSERT_ID(expression). */
  setsLastInsertId: 1 << 8,
  /** ROW_COUNT(): left by the statement before. */
  readsRowCount: 1 << 9,
  /** FOUND_ROWS(): left by the last SELECT. */
  readsFoundRows: 1 << 10,
  /** CONNECTION_ID(), @@pseudo_thread_id, PS_CURRENT_THREAD_ID(). */
  readsConnectionId: 1 << 11,
  sqlCalcFoundRows: 1 << 12,
  /** SHOW WARNINGS or ERRORS, GET DIAGNOSTICS, @@warning_count, @@error_count, SHOW PROFILES. */
  readsDiagnostics: 1 << 13,
  /** NEXTVAL, LASTVAL, SETVAL, NEXT VALUE FOR, PREVIOUS VALUE FOR. */
  sequence: 1 << 14,
  /** Calls a function that is not built in and that the catalogue does not know to read at most. */
  unknownFunction: 1 << 15,
  /** CREATE or DROP TEMPORARY TABLE or SEQUENCE. */
  temporaryTable: 1 << 16,
  /** SET of anything of session scope, NAMES, autocommit and isolation level included; SET ROLE. */
  setsSessionState: 1 << 17,
  /** SET GLOBAL, PERSIST, PERSIST_ONLY. */
  setsGlobal: 1 << 18,
  setsAutocommit0: 1 << 19,
  setsAutocommit1: 1 << 20,
  /** SET NAMES, SET CHARACTER SET. */
  setsNames: 1 << 21,
  /** Ends an open transaction by committing it. */
  implicitCommit: 1 << 22,
  /** COMMIT or ROLLBACK AND CHAIN: the next transaction begins at once, with the same characteristics. */
  chain: 1 << 23,
  /** COMMIT or ROLLBACK RELEASE: the server closes the connection afterwards. */
  release: 1 << 24,
  /** START TRANSACTION WITH CONSISTENT SNAPSHOT. */
  consistentSnapshot: 1 << 25,
  /** START TRANSACTION READ ONLY, SET TRANSACTION READ ONLY. */
  readOnlyTransaction: 1 << 26,
  /** The same with READ WRITE: overrides a session that is read only by default. */
  readWriteTransaction: 1 << 27,
  /** `@@x` of whatever scope: the value depends on the session or on the server. */
  readsSystemVariable: 1 << 28,
  /** The same text gives another answer later though no table changed: NOW(), RAND(), UUID(), SLEEP(), LOAD_FILE(). */
  nonDeterministic: 1 << 29,
  /** Leaves, or may leave, state on its connection that cannot be carried to another: LOCK TABLES, PREPARE, HANDLER, XA, CALL. */
  leavesConnectionState: 1 << 30,
} as const

/** Effects that mean: the answer, or what is left behind, belongs to one connection; the session must stay on it. */
export const PINNING_EFFECTS =
  Effect.setsUserVariable |
  Effect.advisoryLock |
  Effect.setsLastInsertId |
  Effect.sqlCalcFoundRows |
  Effect.sequence |
  Effect.temporaryTable |
  Effect.leavesConnectionState

/** Effects that forbid giving the answer of one execution to another. */
export const UNCACHEABLE_EFFECTS =
  Effect.lockingRead |
  Effect.intoFile |
  Effect.setsUserVariable |
  Effect.setsUserVariableLiteral |
  Effect.readsUserVariable |
  Effect.advisoryLock |
  Effect.releasesAdvisoryLock |
  Effect.readsLastInsertId |
  Effect.setsLastInsertId |
  Effect.readsRowCount |
  Effect.readsFoundRows |
  Effect.readsConnectionId |
  Effect.sqlCalcFoundRows |
  Effect.readsDiagnostics |
  Effect.sequence |
  Effect.unknownFunction |
  Effect.readsSystemVariable |
  Effect.nonDeterministic |
  Effect.leavesConnectionState

const EFFECT_NAMES = Object.entries(Effect)

/** The names of the effects in a mask, in the order of their bits. */
export function explainEffects(effects: number): string[] {
  return EFFECT_NAMES.filter(([, bit]) => (effects & bit) !== 0).map(([name]) => name)
}

/** Where a hint in a comment wants the statement to run. It wins over the classification. */
export const Hint = { none: 0, primary: 1, replica: 2 } as const
