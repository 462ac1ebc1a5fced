import { Buffer } from 'node:buffer'
import { Capability, MariadbCapability } from '../../protocol/index.js'
import type { Exchange } from './capture.js'

/*
 * What the recorder asks the servers, with a note for every packet of the answer, written by hand. A note is a line in
 * the words of describe.ts. Lines that begin with `eof` are left out where DEPRECATE_EOF is negotiated, those that begin
 * with `progress` where PROGRESS is not, and what stands in braces where SESSION_TRACK is not.
 */

export type ServerName = 'mysql' | 'mariadb'

export interface Step {
  name: string
  /** SQL for COM_QUERY, or the bytes of a whole command. */
  send: string | Buffer | ((id: string, queryAttributes: boolean) => Buffer)
  answer?: Exchange['answer']
  /** Content to send when the server asks for a local file. */
  file?: string
  packets: (string | Record<ServerName, string>)[]
  /** Only for this server. */
  only?: ServerName
  /** Only where all of these CLIENT_* flags are negotiated. */
  needs?: number
  /** The same of MariaDB's extended flags. */
  needsMariadb?: number
}

const AC = 'AUTOCOMMIT'
const NO_INDEX = 'AUTOCOMMIT+QUERY_NO_INDEX_USED'
const MORE = 'AUTOCOMMIT+MORE_RESULTS_EXISTS'

/** Same words, other flag. */
const both = (mysql: string, mariadb: string): Record<ServerName, string> => ({ mysql, mariadb })

export const SETUP = [
  'DROP DATABASE IF EXISTS wire',
  'CREATE DATABASE wire CHARACTER SET utf8mb4',
  'CREATE TABLE wire.t (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20))',
  "INSERT INTO wire.t VALUES (1, 'one'), (2, NULL), (3, 'drëi')",
  `CREATE TABLE wire.types (i INT, u BIGINT UNSIGNED, d DECIMAL(10,2), f FLOAT, g DOUBLE, s VARCHAR(20), b BLOB,
    dt DATETIME(6), da DATE, ti TIME, y YEAR, bi BIT(8), n INT, m MEDIUMINT, sm SMALLINT, t TINYINT UNSIGNED,
    e ENUM('x', 'y'), z DATETIME)`,
  `INSERT INTO wire.types VALUES (-1, 18446744073709551615, 12.5, 1.5, -2.25, 'tëxt', x'00ff',
    '2024-02-29 12:34:56.789', '2024-02-29', '-112:34:56', 2024, b'1010', NULL, -70000, -300, 200, 'y',
    '2024-02-29 00:00:00')`,
  'CREATE PROCEDURE wire.p() BEGIN SELECT 1 AS a; SELECT id FROM wire.t WHERE id = 2; UPDATE wire.t SET id = id; END',
]

/** Sent first on a connection with SESSION_TRACK, so that everything is tracked. */
export const TRACK_EVERYTHING: Record<ServerName, string[]> = {
  mysql: [
    "SET session_track_gtids = OWN_GTID, session_track_transaction_info = 'CHARACTERISTICS'",
    'SET session_track_state_change = ON',
  ],
  mariadb: ["SET session_track_transaction_info = 'CHARACTERISTICS'", 'SET session_track_state_change = ON'],
}

const ALL_TYPES =
  "row -1 | 18446744073709551615 | '12.50' | 1.5 | -2.25 | 'tëxt' | '00ff' | 2024-02-29 12:34:56.789000 | 2024-02-29 | -112:34:56 | 2024 | '0a' | NULL | -70000 | -300 | 200 | 'y' | 2024-02-29 00:00:00"

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** `<id>` stands for the id of the statement that was prepared last. */
const withId =
  (text: string, withAttributes = text) =>
  (id: string, attributes: boolean) =>
    hex((attributes ? withAttributes : text).replace('<id>', id))

export const STEPS: Step[] = [
  {
    name: 'COM_INIT_DB wire',
    send: Buffer.from('\x02wire', 'latin1'),
    packets: [both('ok AUTOCOMMIT {schema wire; changed true}', 'ok AUTOCOMMIT {schema wire; changed true}')],
  },
  { name: 'COM_PING', send: hex('0e'), packets: [`ok ${AC}`] },
  { name: 'DO 1', send: 'DO 1', packets: [`ok ${AC}`] },
  {
    name: 'SELECT with text, number and NULL',
    send: 'SELECT id, name FROM t WHERE id < 3 ORDER BY id',
    packets: [
      'columns 2',
      'column id LONG',
      'column name VAR_STRING',
      `eof ${AC}`,
      'row 1 | one',
      'row 2 | NULL',
      `end ${AC}`,
    ],
  },
  {
    name: 'SELECT without rows',
    send: 'SELECT id FROM t WHERE id = 77',
    packets: ['columns 1', 'column id LONG', `eof ${AC}`, `end ${AC}`],
  },
  {
    name: 'SELECT without an index and with a warning',
    send: 'SELECT 1/0 AS w FROM t WHERE name = "one"',
    packets: [
      'columns 1',
      'column w NEWDECIMAL',
      both(`eof ${NO_INDEX}`, `eof ${NO_INDEX}`),
      'row NULL',
      `end ${NO_INDEX} warnings=1`,
    ],
  },
  {
    name: 'UPDATE with its counts as text',
    send: "UPDATE t SET name = 'three' WHERE id = 3",
    packets: [
      both(
        `ok ${AC} affected=1 info=<Rows matched: 1  Changed: 1  Warnings: 0> {gtids <gtid>}`,
        `ok ${AC} affected=1 info=<Rows matched: 1  Changed: 1  Warnings: 0>`,
      ),
    ],
  },
  {
    name: 'INSERT of two rows',
    send: "INSERT INTO t (name) VALUES ('four'), ('five')",
    packets: [
      both(
        `ok ${AC} affected=2 id=4 info=<Records: 2  Duplicates: 0  Warnings: 0> {gtids <gtid>}`,
        `ok ${AC} affected=2 id=4 info=<Records: 2  Duplicates: 0  Warnings: 0>`,
      ),
    ],
  },
  {
    name: 'an error: unknown table',
    send: 'SELECT * FROM nowhere',
    packets: ["err 1146 42S02 Table 'wire.nowhere' doesn't exist"],
  },
  {
    name: 'an error: syntax',
    send: 'SELEC 1',
    packets: [
      both(
        "err 1064 42000 You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near 'SELEC 1' at line 1",
        "err 1064 42000 You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the right syntax to use near 'SELEC 1' at line 1",
      ),
    ],
  },
  {
    name: 'an error behind rows',
    send: 'SELECT id FROM t WHERE id <= 2 AND (id < 2 OR (SELECT 1 UNION SELECT 2) = 1)',
    packets: [
      both('err 1242 21000 Subquery returns more than 1 row', 'err 1242 21000 Subquery returns more than 1 row'),
    ],
  },
  {
    name: 'several statements in one',
    send: "SELECT 1 AS a; UPDATE t SET name = 'drei' WHERE id = 3; SELECT 2 AS b",
    packets: [
      'columns 1',
      both('column a LONGLONG', 'column a LONG'),
      `eof ${MORE}`,
      'row 1',
      `end ${MORE}`,
      both(
        `ok ${MORE} affected=1 info=<Rows matched: 1  Changed: 1  Warnings: 0> {gtids <gtid>}`,
        `ok ${MORE} affected=1 info=<Rows matched: 1  Changed: 1  Warnings: 0>`,
      ),
      'columns 1',
      both('column b LONGLONG', 'column b LONG'),
      `eof ${AC}`,
      'row 2',
      `end ${AC}`,
    ],
  },
  {
    name: 'several statements, the second of them wrong',
    send: 'DO 1; SELECT * FROM nowhere; SELECT 3',
    packets: [`ok ${MORE}`, "err 1146 42S02 Table 'wire.nowhere' doesn't exist"],
  },
  {
    name: 'CALL of a procedure with two results',
    send: 'CALL p()',
    packets: [
      'columns 1',
      both('column a LONGLONG', 'column a LONG'),
      `eof ${MORE}`,
      'row 1',
      `end ${MORE}`,
      'columns 1',
      'column id LONG',
      `eof ${MORE}`,
      'row 2',
      `end ${MORE}`,
      `ok ${NO_INDEX}`,
    ],
  },
  {
    name: 'LOAD DATA LOCAL INFILE',
    send: "LOAD DATA LOCAL INFILE 'some file.csv' INTO TABLE t FIELDS TERMINATED BY ','",
    file: '10,ten\n11,eleven\n',
    packets: [
      'file some file.csv',
      'progress 2/2 End bulk insert',
      both(
        `ok ${AC} affected=2 info=<Records: 2  Deleted: 0  Skipped: 0  Warnings: 0> {gtids <gtid>}`,
        `ok ${AC} affected=2 info=<Records: 2  Deleted: 0  Skipped: 0  Warnings: 0>`,
      ),
    ],
  },
  {
    name: 'BEGIN',
    send: 'BEGIN',
    packets: [
      both(
        `ok IN_TRANS+${AC} {state <T_______>; characteristics <START TRANSACTION;>}`,
        `ok IN_TRANS+${AC} {state <T_______>; characteristics <START TRANSACTION;>}`,
      ),
    ],
  },
  {
    name: 'a write in a transaction',
    send: 'DELETE FROM t WHERE id >= 10',
    packets: [`ok IN_TRANS+${AC} affected=2 {state <T___W___>}`],
  },
  {
    name: 'COMMIT',
    send: 'COMMIT',
    packets: [
      both(
        `ok ${AC} {gtids <gtid>; state <________>; characteristics <>}`,
        `ok ${AC} {state <________>; characteristics <>}`,
      ),
    ],
  },
  {
    name: 'START TRANSACTION READ ONLY',
    send: 'START TRANSACTION READ ONLY',
    packets: [`ok IN_TRANS+${AC}+IN_TRANS_READONLY {state <T_______>; characteristics <START TRANSACTION READ ONLY;>}`],
  },
  { name: 'ROLLBACK', send: 'ROLLBACK', packets: [`ok ${AC} {state <________>; characteristics <>}`] },
  {
    name: 'SET NAMES',
    send: 'SET NAMES latin1',
    packets: [
      both(
        `ok ${AC} {character_set_client=latin1; character_set_connection=latin1; character_set_results=latin1; changed true}`,
        `ok ${AC} {character_set_client=latin1; character_set_connection=latin1; character_set_results=latin1; changed true}`,
      ),
    ],
  },
  {
    name: 'SET autocommit = 0',
    send: 'SET autocommit = 0',
    packets: ['ok no flags {autocommit=OFF; changed true}'],
  },
  {
    name: 'SET autocommit = 1, sql_mode without backslashes',
    send: "SET autocommit = 1, sql_mode = 'NO_BACKSLASH_ESCAPES'",
    packets: [`ok ${AC}+NO_BACKSLASH_ESCAPES {autocommit=ON; changed true}`],
  },
  {
    name: 'COM_STATISTICS',
    send: hex('09'),
    answer: 'single',
    packets: ['text Uptime'],
  },
  { name: 'an unknown command', send: hex('77'), packets: ['err 1047 08S01 Unknown command'] },
  {
    name: 'COM_SET_OPTION: multi-statements on',
    send: hex('1b 0000'),
    packets: [both(`end ${AC}+NO_BACKSLASH_ESCAPES warnings=1`, `end ${AC}+NO_BACKSLASH_ESCAPES`)],
    answer: 'rows',
  },
  {
    name: 'COM_RESET_CONNECTION',
    send: hex('1f'),
    packets: [both(`ok ${AC}`, `ok ${AC}`)],
  },
  {
    name: 'COM_STMT_PREPARE of a SELECT with two parameters',
    send: Buffer.from('\x16SELECT id, ? AS p FROM wire.t WHERE id = ?', 'latin1'),
    answer: 'prepare',
    packets: [
      'prepared parameters=2 columns=2 warnings=0',
      both('column p VAR_STRING', 'column p NULL'),
      both('column ? LONGLONG', 'column ? NULL'),
      `eof ${AC}`,
      'column id LONG',
      both('column p VAR_STRING', 'column p NULL'),
      `eof ${AC}`,
    ],
  },
  {
    name: "COM_STMT_EXECUTE with 'x' and 2",
    send: withId(
      '17 <id> 00 01000000 00 01 fd00 0300 0178 02000000',
      '17 <id> 08 01000000 02 00 01 fd00 00 0300 00 0178 02000000',
    ),
    packets: ['columns 2', 'column id LONG', 'column p VAR_STRING', `eof ${AC}`, "row 2 | 'x'", `end ${AC}`],
  },
  {
    name: 'COM_STMT_EXECUTE with the types of before, NULL and 1',
    send: withId('17 <id> 00 01000000 01 00 01000000', '17 <id> 08 01000000 02 01 00 01000000'),
    packets: ['columns 2', 'column id LONG', 'column p VAR_STRING', `eof ${AC}`, 'row 1 | NULL', `end ${AC}`],
  },
  { name: 'COM_STMT_RESET', send: withId('1a <id>'), packets: [`ok ${AC}`] },
  { name: 'COM_STMT_CLOSE', send: withId('19 <id>'), answer: 'none', packets: [] },
  {
    name: 'COM_STMT_EXECUTE of a closed statement',
    send: withId('17 <id> 00 01000000'),
    packets: [
      both(
        'err 1243 HY000 Unknown prepared statement handler (<id>) given to mysql_stmt_precheck',
        'err 1243 HY000 Unknown prepared statement handler (<id>) given to mysqld_stmt_execute',
      ),
    ],
  },
  {
    name: 'COM_STMT_PREPARE of a statement without parameters and columns',
    send: Buffer.from('\x16DO 1', 'latin1'),
    answer: 'prepare',
    packets: ['prepared parameters=0 columns=0 warnings=0'],
  },
  {
    name: 'COM_STMT_PREPARE of something wrong',
    send: Buffer.from('\x16SELECT * FROM wire.nowhere', 'latin1'),
    answer: 'prepare',
    packets: ["err 1146 42S02 Table 'wire.nowhere' doesn't exist"],
  },
  {
    name: 'COM_STMT_PREPARE of a SELECT of all types',
    send: Buffer.from('\x16SELECT * FROM wire.types', 'latin1'),
    answer: 'prepare',
    packets: ['prepared parameters=0 columns=18 warnings=0', ...typeColumns(), `eof ${AC}`],
  },
  {
    name: 'COM_STMT_EXECUTE of a SELECT of all types',
    send: withId('17 <id> 00 01000000', '17 <id> 08 01000000 00'),
    packets: ['columns 18', ...typeColumns('cached '), `eof ${NO_INDEX}`, ALL_TYPES, `end ${NO_INDEX}`],
  },
  {
    name: 'COM_STMT_EXECUTE with a cursor',
    send: withId('17 <id> 01 01000000', '17 <id> 09 01000000 00'),
    answer: 'cursor',
    packets: ['columns 18', ...typeColumns('cached '), `cursor ${NO_INDEX}+CURSOR_EXISTS`],
  },
  {
    name: 'COM_STMT_FETCH of ten rows',
    send: withId('1c <id> 0a000000'),
    answer: 'rows',
    packets: [ALL_TYPES, `end ${AC}+LAST_ROW_SENT`],
  },
  {
    name: 'SET resultset_metadata = NONE',
    needs: Capability.OPTIONAL_RESULTSET_METADATA,
    send: 'SET resultset_metadata = NONE',
    packets: [`ok ${AC}`],
  },
  {
    name: 'SELECT without metadata',
    needs: Capability.OPTIONAL_RESULTSET_METADATA,
    send: 'SELECT id, name FROM wire.t WHERE id < 3',
    packets: ['columns 2 without metadata', 'row 1 | one', 'row 2 | NULL', `end ${AC}`],
  },
  {
    name: 'COM_STMT_PREPARE of an INSERT with two parameters',
    needsMariadb: MariadbCapability.STMT_BULK_OPERATIONS,
    send: Buffer.from('\x16INSERT INTO wire.t (id, name) VALUES (?, ?)', 'latin1'),
    answer: 'prepare',
    packets: ['prepared parameters=2 columns=0 warnings=0', 'column ? NULL', 'column ? NULL', `eof ${AC}`],
  },
  {
    name: 'COM_STMT_BULK_EXECUTE with types: (100, a), (101, NULL)',
    needsMariadb: MariadbCapability.STMT_BULK_OPERATIONS,
    send: withId('fa <id> 8000 0300 fd00 00 64000000 00 01 61 00 65000000 01'),
    packets: [`ok ${AC} affected=2 id=101 info=<Records: 2  Duplicates: 0  Warnings: 0>`],
  },
  {
    name: 'COM_STMT_BULK_EXECUTE with the types of before: (102, DEFAULT)',
    needsMariadb: MariadbCapability.STMT_BULK_OPERATIONS,
    send: withId('fa <id> 0000 00 66000000 02'),
    packets: [`ok ${AC} affected=1 id=102`],
  },
]

/** With `cached ` in front of those that need not be sent again. */
function typeColumns(prefix = ''): string[] {
  return [
    'column i LONG',
    'column u LONGLONG',
    'column d NEWDECIMAL',
    'column f FLOAT',
    'column g DOUBLE',
    'column s VAR_STRING',
    'column b BLOB',
    'column dt DATETIME',
    'column da DATE',
    'column ti TIME',
    'column y YEAR',
    'column bi BIT',
    'column n LONG',
    'column m INT24',
    'column sm SHORT',
    'column t TINY',
    'column e STRING',
    'column z DATETIME',
  ].map((line) => prefix + line)
}
