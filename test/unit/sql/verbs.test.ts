import { expect, it } from 'vitest'
import { Classifier, VERBS, verbOf } from '../../../src/sql/index.js'
import { OPTIONS } from './options.js'

const classifier = new Classifier()

function verb(text: string): string {
  const buffer = Buffer.from(text)
  const { keyword, kind, effects, keywordEnd } = classifier.classify(buffer, 0, buffer.length, OPTIONS)
  return VERBS[verbOf(keyword, kind, effects, buffer, keywordEnd, buffer.length)]
}

it.each([
  ['SELECT 1', 'SELECT'],
  ['/* c */ (SELECT 1) UNION (SELECT 2)', 'SELECT'],
  ['WITH x AS (SELECT 1) SELECT * FROM x', 'SELECT'],
  ['TABLE t', 'SELECT'],
  ['SELECT a FROM t FOR UPDATE', 'SELECT_FOR_UPDATE'],
  ['select a from t lock in share mode', 'SELECT_FOR_UPDATE'],
  ['INSERT INTO t VALUES (1)', 'INSERT'],
  ['REPLACE INTO t VALUES (1)', 'REPLACE'],
  ['UPDATE t SET a = 1', 'UPDATE'],
  ['DELETE FROM t', 'DELETE'],
  ['SET NAMES utf8mb4', 'SET'],
  ['BEGIN', 'BEGIN'],
  ['START TRANSACTION READ ONLY', 'START_TRANSACTION'],
  ['COMMIT', 'COMMIT'],
  ['ROLLBACK', 'ROLLBACK'],
  ['ROLLBACK WORK TO SAVEPOINT a', 'ROLLBACK_SAVEPOINT'],
  ['rollback to a', 'ROLLBACK_SAVEPOINT'],
  ['RELEASE SAVEPOINT a', 'RELEASE_SAVEPOINT'],
  ['CREATE TABLE t (a INT)', 'CREATE_TABLE'],
  ['CREATE TEMPORARY TABLE t (a INT)', 'CREATE_TEMPORARY'],
  ['CREATE /* x */ OR\n REPLACE  DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW v AS SELECT 1', 'CREATE_VIEW'],
  ['CREATE UNIQUE INDEX i ON t (a)', 'CREATE_INDEX'],
  ['CREATE SCHEMA s', 'CREATE_DATABASE'],
  ['CREATE PROCEDURE p() SELECT 1', 'UNKNOWN'],
  ['DROP TABLE IF EXISTS t', 'DROP_TABLE'],
  ['DROP USER a', 'DROP_USER'],
  ['ALTER TABLE t ADD b INT', 'ALTER_TABLE'],
  ['ALTER VIEW v AS SELECT 1', 'ALTER_VIEW'],
  ['ALTER USER a IDENTIFIED BY "x"', 'UNKNOWN'],
  ['RENAME TABLE a TO b', 'RENAME_TABLE'],
  ['TRUNCATE t', 'TRUNCATE_TABLE'],
  ['ANALYZE TABLE t', 'ANALYZE_TABLE'],
  ['SHOW TABLE STATUS', 'SHOW_TABLE_STATUS'],
  ['SHOW TABLES', 'SHOW'],
  ['EXPLAIN SELECT 1', 'EXPLAIN'],
  ['DESC t', 'DESCRIBE'],
  ['RESET MASTER', 'RESET_MASTER'],
  ['RESET REPLICA', 'RESET_SLAVE'],
  ['LOCK TABLES t READ', 'LOCK_TABLE'],
  ['USE s', 'USE'],
  ['CALL p()', 'CALL'],
  ['blah', 'UNKNOWN'],
  ['', 'UNKNOWN'],
])('%s is counted as %s', (text, expected) => {
  expect(verb(text)).toBe(expected)
})
