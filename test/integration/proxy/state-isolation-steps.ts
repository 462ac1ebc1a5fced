import type { Engine } from '../../../src/sandbox/index.js'
import type { Random } from '../../fuzz/random.js'

/** The grammar of random sessions: steps whose answers depend on nothing but the session's own steps before. */

export type Step =
  | { readonly kind: 'query'; readonly sql: string }
  /** Prepared once for each connection, then executed again. */
  | { readonly kind: 'execute'; readonly sql: string; readonly values: readonly (string | number | null)[] }
  | { readonly kind: 'close statement'; readonly sql: string }
  | { readonly kind: 'reset' }
  | { readonly kind: 'change user'; readonly user: number; readonly schema: number }
  | { readonly kind: 'reconnect'; readonly user: number; readonly schema: number }
  /** All system variables. */
  | { readonly kind: 'variables' }

export interface Grammar {
  readonly engine: Engine
  /** Two that only this session uses. */
  readonly schemas: readonly [string, string]
  /** Part of the names of locks. */
  readonly name: string
  /** How many accounts there are. */
  readonly users: number
  /** With steps after which a connection cannot be given to another session. */
  readonly pins: boolean
}

type Make = (random: Random, grammar: Grammar) => readonly (string | Step)[]

const VALUES = [
  "'text'",
  '5',
  '-1.5',
  'NULL',
  "x'4142'",
  '1e10',
  "''",
  'TRUE',
  "'it''s'",
  "_latin1'x'",
  '18446744073709551615',
]
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  sql_mode: [
    "''",
    "'ANSI_QUOTES'",
    "'STRICT_TRANS_TABLES'",
    "'NO_BACKSLASH_ESCAPES'",
    "'PIPES_AS_CONCAT'",
    "'TRADITIONAL'",
    'DEFAULT',
  ],
  time_zone: ["'+00:00'", "'+05:30'", "'-08:00'", "'SYSTEM'", 'DEFAULT'],
  autocommit: ['0', '1', '1', '1', 'ON', 'OFF'],
  character_set_results: ['utf8mb4', 'latin1', 'NULL'],
  character_set_connection: ['utf8mb4', 'latin1', 'DEFAULT'],
  collation_connection: ['utf8mb4_bin', 'latin1_swedish_ci', 'utf8mb4_general_ci'],
  sql_select_limit: ['2', '3', 'DEFAULT'],
  group_concat_max_len: ['8', '1024'],
  div_precision_increment: ['0', '8', 'DEFAULT'],
  lc_time_names: ["'de_DE'", "'en_US'"],
  default_week_format: ['0', '3'],
  auto_increment_increment: ['1', '5', 'DEFAULT'],
  foreign_key_checks: ['0', '1'],
  unique_checks: ['OFF', 'ON'],
  sql_safe_updates: ['0', '1', '0'],
  innodb_lock_wait_timeout: ['3', 'DEFAULT'],
  wait_timeout: ['600', 'DEFAULT'],
  net_write_timeout: ['77', 'DEFAULT'],
  sort_buffer_size: ['65536', 'DEFAULT'],
  sql_warnings: ['1', '0'],
}
const ISOLATION = ['READ UNCOMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE']
const USER_VARIABLES = ['@a', '@b', '@c']
const EFFECTS = [
  'SELECT FROM_UNIXTIME(86400)',
  'SELECT "t"',
  "SELECT HEX('\u00e4'), CHARSET('\u00e4'), COLLATION('\u00e4'), '\u00e4' = '\u00c4'",
  "SELECT 'a' || 'b'",
  "SELECT '\\\\n'",
  'SELECT 1/3, 7 DIV 2',
  "SELECT DATE_FORMAT('2024-03-05', '%M %W'), WEEK('2024-01-01')",
  'SELECT GROUP_CONCAT(note ORDER BY id) FROM t',
  'SELECT id, note FROM t ORDER BY id',
  'SELECT COUNT(*) FROM t',
  // Without IGNORE_SPACE, which the login sets, it is wrong.
  'SELECT COUNT (*) FROM t',
]
const ERRORS = [
  'SELECT * FROM missing',
  'SELEKT 1',
  'INSERT INTO t (id, note) VALUES (1, 1), (1, 2)',
  'SET sql_mode = nonsense',
]

const id = (random: Random): number => 1 + random.below(9)
const note = (random: Random): string => `'n${random.below(100)}'`
const literal = (random: Random): string => `SET ${random.pick(USER_VARIABLES)} = ${random.pick(VALUES)}`
const dml = (random: Random): string =>
  random.pick([
    `REPLACE INTO t (id, note) VALUES (${id(random)}, ${note(random)})`,
    `UPDATE t SET note = ${note(random)} WHERE id = ${id(random)}`,
    `DELETE FROM t WHERE id = ${id(random)}`,
    `INSERT INTO t (id, note) VALUES (${id(random)}, ${note(random)}) ON DUPLICATE KEY UPDATE note = ${note(random)}`,
  ])
const statements = (random: Random): string => random.pick([dml(random), random.pick(EFFECTS), literal(random)])
const some = <T>(random: Random, most: number, make: () => T): T[] =>
  Array.from({ length: 1 + random.below(most) }, make)

/** What leaves nothing on the connection that Sluice cannot take along. */
const FREE: readonly Make[] = [
  (random) => {
    const name = random.pick(Object.keys(VARIABLES))
    const target = random.pick(['', 'SESSION ', '@@', '@@SESSION.', 'LOCAL '])
    return [`SET ${target}${name} ${random.pick(['=', ':='])} ${random.pick(VARIABLES[name])}`]
  },
  (random) => {
    const [one, two] = [random.pick(Object.keys(VARIABLES)), random.pick(Object.keys(VARIABLES))]
    return [
      `SET ${one} = ${random.pick(VARIABLES[one])}, @a = ${random.pick(VALUES)}, ${two} = ${random.pick(VARIABLES[two])}`,
    ]
  },
  (random) => [
    random.pick([
      'SET NAMES latin1',
      'SET NAMES utf8mb4',
      'SET NAMES utf8mb4 COLLATE utf8mb4_bin',
      'SET CHARACTER SET latin1',
      'SET NAMES DEFAULT',
      'SET NAMES utf8mb4, character_set_results = NULL',
      'SET NAMES latin1, collation_connection = utf8mb4_bin',
    ]),
  ],
  (random) => [`SET SESSION TRANSACTION ISOLATION LEVEL ${random.pick(ISOLATION)}`],
  (random) => [`SET SESSION TRANSACTION READ ${random.pick(['ONLY', 'WRITE', 'WRITE'])}`],
  (random) => [`SET TRANSACTION ISOLATION LEVEL ${random.pick(ISOLATION)}`, 'START TRANSACTION', dml(random), 'COMMIT'],
  (random) => ['SET TRANSACTION READ ONLY', 'BEGIN', dml(random), random.pick(EFFECTS), 'COMMIT'],
  (random) => [
    `SET timestamp = ${1_000_000 + random.below(1000)}`,
    'SELECT NOW(), UNIX_TIMESTAMP()',
    'SET timestamp = DEFAULT',
  ],
  (random) => [literal(random)],
  (random) => [`${literal(random)}, ${random.pick(USER_VARIABLES)} = ${random.pick(VALUES)}`],
  (random, { schemas }) => [`USE ${random.pick(schemas)}`],
  (random) => [dml(random)],
  (random) => [random.pick(EFFECTS)],
  (random) => [random.pick(EFFECTS)],
  (random) => [random.pick(ERRORS)],
  (random) => [
    random.pick(['BEGIN', 'START TRANSACTION', 'START TRANSACTION WITH CONSISTENT SNAPSHOT']),
    ...some(random, 4, () => statements(random)),
    random.pick(['COMMIT', 'ROLLBACK', 'COMMIT AND CHAIN', 'ROLLBACK']),
    ...some(random, 2, () => statements(random)),
    'COMMIT',
  ],
  (random) => ['START TRANSACTION READ ONLY', ...some(random, 3, () => random.pick(EFFECTS)), 'COMMIT'],
  (random) => [
    'BEGIN',
    dml(random),
    'SAVEPOINT one',
    dml(random),
    'ROLLBACK TO SAVEPOINT one',
    'COMMIT',
    'SELECT id, note FROM t ORDER BY id',
  ],
  // The type of a variable and of a parameter stays what it was when MySQL prepared the statement, on that server: CAST, + 1.
  (random) => [{ kind: 'execute', sql: 'SELECT id, note, CAST(@a AS CHAR) FROM t WHERE id = ?', values: [id(random)] }],
  (random) => [{ kind: 'execute', sql: 'UPDATE t SET note = ? WHERE id = ?', values: [`p${id(random)}`, id(random)] }],
  (random) => [{ kind: 'execute', sql: 'SELECT ? + 1, @@sql_mode, @@time_zone', values: [id(random)] }],
  // It means what it meant when it was prepared, whatever has been set since.
  () => [{ kind: 'execute', sql: 'SELECT COUNT (*), COLLATION(\'x\'), "t" FROM DUAL WHERE ? = 1', values: [1] }],
  () => [{ kind: 'close statement', sql: 'SELECT id, note, CAST(@a AS CHAR) FROM t WHERE id = ?' }],
]

/** What Sluice is to hold a connection for, and what is told of the statement before only. */
const PINNING: readonly Make[] = [
  (random) => [`SET @a = ${random.below(50)} + 2, @b = CONCAT('x', COALESCE(@a, ''))`],
  () => ['SELECT @a := 7', 'SELECT @a, @a + 1'],
  () => ['SELECT COUNT(*) INTO @c FROM t', 'SELECT @c'],
  () => ['SET @b = (SELECT MAX(id) FROM t)', 'SELECT @b'],
  (random) => [`SELECT @c := COALESCE(@c, 0) + ${random.below(9)}`],
  (random) => ['CREATE TEMPORARY TABLE IF NOT EXISTS tmp (n INT)', `INSERT INTO tmp VALUES (${random.below(100)})`],
  () => ['SELECT COUNT(*), SUM(n) FROM tmp'],
  () => ['DROP TEMPORARY TABLE IF EXISTS tmp'],
  () => [
    'CREATE TEMPORARY TABLE t (id INT, note VARCHAR(20))',
    "INSERT INTO t VALUES (1000, 'hidden')",
    'SELECT * FROM t',
    'DROP TEMPORARY TABLE t',
  ],
  (_random, { name }) => [`SELECT GET_LOCK('${name}', 5)`],
  (_random, { name }) => [`SELECT RELEASE_LOCK('${name}')`, `SELECT IS_FREE_LOCK('${name}')`],
  () => ['SELECT RELEASE_ALL_LOCKS()'],
  (random) => [
    `LOCK TABLES t ${random.pick(['READ', 'WRITE'])}`,
    dml(random),
    'SELECT id FROM t ORDER BY id',
    'SELECT COUNT(*) FROM counter',
  ],
  () => ['UNLOCK TABLES'],
  (random) => [
    `INSERT INTO counter (note) VALUES (${note(random)})`,
    ...(random.once(2) ? ['SELECT LAST_INSERT_ID()'] : []),
  ],
  (random) => [
    `INSERT INTO counter (note) VALUES (${note(random)}), (${note(random)})`,
    'SELECT ROW_COUNT(), LAST_INSERT_ID()',
  ],
  () => ['SELECT LAST_INSERT_ID()'],
  () => ['SELECT @@last_insert_id, @@identity'],
  (random) => [
    `INSERT INTO t (id, note) VALUES (LAST_INSERT_ID() + ${random.below(5)}, 'last') ON DUPLICATE KEY UPDATE note = 'twice'`,
  ],
  (random) => [`UPDATE counter SET id = LAST_INSERT_ID(id) WHERE id = ${id(random)}`, 'SELECT LAST_INSERT_ID()'],
  () => ['SELECT LAST_INSERT_ID(42)', 'SELECT LAST_INSERT_ID()'],
  (random) => [
    `SET insert_id = ${500 + random.below(500)}`,
    "INSERT IGNORE INTO counter (note) VALUES ('given')",
    'SELECT MAX(id) FROM counter',
  ],
  (random) => [dml(random), 'SELECT ROW_COUNT()'],
  () => ['SELECT id FROM t ORDER BY id', 'SELECT ROW_COUNT()'],
  () => ['SELECT SQL_CALC_FOUND_ROWS id FROM t ORDER BY id LIMIT 1', 'SELECT FOUND_ROWS()'],
  () => ['SELECT id FROM t ORDER BY id LIMIT 2', 'SELECT FOUND_ROWS()'],
  () => ["SELECT CAST('x' AS SIGNED), 1/0", 'SHOW WARNINGS', 'SELECT @@warning_count'],
  () => ["SELECT CAST('x' AS SIGNED)", 'SELECT @@warning_count, @@error_count', 'SHOW COUNT(*) WARNINGS'],
  () => [
    "INSERT IGNORE INTO t (id, note) VALUES ('1x', 'much too long for this column, which has twenty')",
    'SHOW WARNINGS',
    'SELECT id, note FROM t ORDER BY id',
  ],
  (random) => [random.pick(ERRORS), 'SHOW WARNINGS'],
  (random) => [random.pick(ERRORS), 'SHOW ERRORS LIMIT 1'],
  (random) => [
    random.pick(ERRORS),
    'GET DIAGNOSTICS CONDITION 1 @a = RETURNED_SQLSTATE, @b = MESSAGE_TEXT',
    'SELECT @a, @b',
  ],
  () => ["PREPARE p FROM 'SELECT id, note, @b FROM t WHERE id < ? ORDER BY id'", 'SET @a = 5', 'EXECUTE p USING @a'],
  () => ['EXECUTE p USING @a'],
  () => ['DEALLOCATE PREPARE p'],
  () => ['PREPARE q FROM \'SET SESSION time_zone = "+09:00"\'', 'EXECUTE q', 'SELECT @@time_zone', 'DROP PREPARE q'],
  () => ['HANDLER t OPEN', 'HANDLER t READ FIRST', 'HANDLER t READ NEXT', 'HANDLER t CLOSE'],
  () => ['CALL set_zone()', 'SELECT @@time_zone, @p'],
  () => ['SELECT FROM_UNIXTIME(3600), @p'],
  () => ['SET rand_seed1 = 1, rand_seed2 = 2', 'SELECT RAND()'],
]

const ENDS: readonly Make[] = [
  () => [{ kind: 'reset' }],
  (random, { users }) => [{ kind: 'change user', user: random.below(users), schema: random.below(2) }],
  (random, { users }) => [{ kind: 'reconnect', user: random.below(users), schema: random.below(2) }],
]

/** Both schemas empty but for some rows, whatever a session before has left; the first is chosen at the end. */
function setUp({ schemas }: Grammar): string[] {
  const tables = schemas.flatMap((schema) => [
    `USE ${schema}`,
    'DROP TABLE IF EXISTS t, counter',
    'DROP PROCEDURE IF EXISTS set_zone',
    'CREATE TABLE t (id INT PRIMARY KEY, note VARCHAR(20))',
    'CREATE TABLE counter (id INT PRIMARY KEY AUTO_INCREMENT, note VARCHAR(20))',
    "CREATE PROCEDURE set_zone() BEGIN SET SESSION time_zone = '+03:00'; SET @p = 5; END",
    `INSERT INTO t VALUES (1, '${schema}'), (2, 'two'), (3, 'three'), (4, 'four')`,
  ])
  return [...tables, `USE ${schemas[0]}`]
}

const SEEN: Record<Engine, string> = {
  mysql: '@@transaction_isolation, @@transaction_read_only',
  mariadb: '@@tx_isolation, @@tx_read_only',
}

function observe(random: Random, { engine }: Grammar): Step {
  if (random.once(12)) return { kind: 'variables' }
  const sql = random.once(2)
    ? 'SELECT @a, @b, @c, @p, DATABASE(), CURRENT_USER()'
    : `SELECT ${Object.keys(VARIABLES).map((name) => `@@${name}`)}, @@character_set_client, @@character_set_connection, ${SEEN[engine]}`
  return { kind: 'query', sql }
}

/** The steps of one session; the first `setUpLength` make its tables. */
export function makeSteps(
  random: Random,
  grammar: Grammar,
  length: number,
): { readonly steps: readonly Step[]; readonly setUpLength: number } {
  const steps: Step[] = []
  const add = (items: readonly (string | Step)[]) => {
    for (const item of items) steps.push(typeof item === 'string' ? { kind: 'query', sql: item } : item)
  }
  add(setUp(grammar))
  const setUpLength = steps.length
  while (steps.length < setUpLength + length) {
    const kinds = grammar.pins && random.once(2) ? PINNING : FREE
    add(random.pick(random.once(18) ? ENDS : kinds)(random, grammar))
    if (random.once(2)) add([observe(random, grammar)])
  }
  add([{ kind: 'variables' }])
  return { steps, setUpLength }
}

/** One line for people. */
export function describeStep(step: Step): string {
  if (step.kind === 'query') return `${step.sql};`
  if (step.kind === 'execute') return `execute ${step.sql} with ${JSON.stringify(step.values)}`
  if (step.kind === 'close statement') return `close ${step.sql}`
  if (step.kind === 'change user' || step.kind === 'reconnect')
    return `${step.kind} to user ${step.user}, schema ${step.schema}`
  return step.kind
}
