-- SET in all forms, user variables, diagnostics, transactions, locks.
CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)
INSERT INTO t (v) VALUES (1), (2), (3)
-- @settle
SET NAMES utf8mb4
SET NAMES latin1
SELECT 'ä', @@character_set_client, @@character_set_results, @@collation_connection
SET NAMES utf8mb4 COLLATE utf8mb4_bin
SELECT COLLATION('x')
SET NAMES DEFAULT
SET NAMES nonsense
SET CHARACTER SET latin1
SET CHARSET DEFAULT
SET NAMES utf8mb4
SET character_set_results = NULL
SELECT 'ä', @@character_set_results
SET character_set_results = utf8mb4
SET collation_connection = utf8mb4_unicode_ci
SELECT COLLATION('x')
SET sql_mode = ''
SELECT 1 / 0, CAST('x' AS SIGNED)
SHOW WARNINGS
SELECT @@sql_mode
SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'
SELECT 'a\n', 'b\'
SELECT "v" FROM t WHERE v = 1
SET SESSION sql_mode = 'STRICT_ALL_TABLES'
SELECT "v"
SET sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')
SELECT 'a' || 'b'
SET sql_mode = 'nonsense'
SET sql_mode = DEFAULT
SELECT @@sql_mode
SET time_zone = '+05:30'
SELECT FROM_UNIXTIME(0), @@time_zone
SET time_zone = 'nonsense/zone'
SET @@session.time_zone = 'SYSTEM'
SET @@time_zone = '-03:00', @a = 1, sql_notes = 0
SELECT FROM_UNIXTIME(0), @a, @@sql_notes
SET SESSION time_zone = DEFAULT, LOCAL sql_notes = ON
SET timestamp = 1000000000
SELECT NOW(), UNIX_TIMESTAMP(), CURDATE()
SET timestamp = 1000000000.123456
SELECT NOW(6)
SET timestamp = DEFAULT
SET @x = 1, @y = 'text', @z = NULL, @`odd name` = 2.5, @h = x'00ff', @d = 1e3, @n = -5
SELECT @x, @y, @z, @`odd name`, HEX(@h), @d, @n
SET @x := @x + 1, @sum = (SELECT SUM(v) FROM t)
SELECT @x, @sum
SELECT @X, @SUM
SET @y = CONCAT(@y, ' more')
SELECT @y
SET @u = _latin1 x'e4'
SELECT @u, CHARSET(@u)
SET @j = JSON_OBJECT('a', 1)
SELECT @j
SET @t = TIMESTAMP '2024-01-01 00:00:00'
SELECT @t
SET @many = REPEAT('x', 1000)
SELECT LENGTH(@many)
SET @'quoted name' = 3
SELECT @'quoted name'
SET @a = 1, @a = 2
SELECT @a
SET @b = 5; SELECT @b
SET no_such_variable = 1
SET @@no_such_variable = 1
SET SESSION max_connections = 5
SET GLOBAL max_connections = 5
SET @@global.sql_mode = ''
SET PERSIST max_connections = 5
SET autocommit = 5
SET sql_notes = 'nonsense'
SET
SET x
SET @
SET @x =
SET max_execution_time = 5000
SELECT @@max_execution_time
SET max_execution_time = DEFAULT
SET max_statement_time = 5
SELECT @@max_statement_time
SET max_statement_time = DEFAULT
SET sql_select_limit = 1
SELECT v FROM t ORDER BY v
SET sql_select_limit = DEFAULT
SELECT v FROM t ORDER BY v
SET group_concat_max_len = 4
SELECT GROUP_CONCAT(v) FROM t
SHOW WARNINGS
SET group_concat_max_len = DEFAULT
SET lc_time_names = 'de_DE'
SELECT DAYNAME('2024-02-29'), MONTHNAME('2024-03-01')
SET lc_time_names = 'en_US'
SET div_precision_increment = 9
SELECT 1 / 3
SET div_precision_increment = DEFAULT
SET foreign_key_checks = 0, unique_checks = 0
SELECT @@foreign_key_checks, @@unique_checks
SET foreign_key_checks = 1, unique_checks = 1
SET optimizer_switch = 'mrr=off'
SELECT @@optimizer_switch LIKE '%mrr=off%'
SET optimizer_switch = DEFAULT
SET sql_safe_updates = 1
DELETE FROM t
SET sql_safe_updates = 0
SET sql_auto_is_null = 1
SELECT COUNT(*) FROM t WHERE id IS NULL
SET sql_auto_is_null = 0
SET statement max_statement_time = 5 FOR SELECT 1
SET ROLE NONE
SET ROLE nope
SET DEFAULT ROLE NONE TO nope
SET RESOURCE GROUP nope
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
SELECT @@transaction_isolation
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
START TRANSACTION
COMMIT
SET SESSION TRANSACTION READ ONLY
INSERT INTO t (v) VALUES (4)
SET SESSION TRANSACTION READ WRITE
SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ
SET TRANSACTION NONSENSE
BEGIN
INSERT INTO t (v) VALUES (10)
SELECT COUNT(*) FROM t
SET TRANSACTION READ ONLY
SAVEPOINT s
INSERT INTO t (v) VALUES (11)
ROLLBACK TO SAVEPOINT s
ROLLBACK TO nope
RELEASE SAVEPOINT s
RELEASE SAVEPOINT nope
COMMIT
START TRANSACTION READ ONLY
SELECT COUNT(*) FROM t
INSERT INTO t (v) VALUES (12)
COMMIT
START TRANSACTION WITH CONSISTENT SNAPSHOT
SELECT COUNT(*) FROM t
ROLLBACK
START TRANSACTION READ WRITE, WITH CONSISTENT SNAPSHOT
ROLLBACK AND CHAIN
SELECT 1
COMMIT AND NO CHAIN NO RELEASE
BEGIN WORK
BEGIN
COMMIT WORK
START TRANSACTION NONSENSE
COMMIT NONSENSE
BEGIN
SELECT v FROM t WHERE id = 1 FOR UPDATE
SELECT nope FROM t
INSERT INTO t (id) VALUES (1)
UPDATE t SET v = 100 WHERE id = 1
SELECT v FROM t WHERE id = 1
ROLLBACK
SELECT v FROM t WHERE id = 1
SET autocommit = 0
SELECT COUNT(*) FROM t
INSERT INTO t (v) VALUES (20)
SELECT @@autocommit, @@in_transaction
COMMIT
SELECT 1
SET autocommit = 1
BEGIN
INSERT INTO t (v) VALUES (21)
CREATE TABLE implicit (id INT)
ROLLBACK
SELECT COUNT(*) FROM t WHERE v = 21
DROP TABLE implicit
ROLLBACK
COMMIT
XA START 'x'
INSERT INTO t (v) VALUES (30)
COMMIT
XA END 'x'
XA PREPARE 'x'
XA ROLLBACK 'x'
XA RECOVER
XA COMMIT 'nope'
XA NONSENSE
LOCK TABLES t READ
SELECT COUNT(*) FROM t
INSERT INTO t (v) VALUES (40)
SELECT * FROM no_such_table
UNLOCK TABLES
LOCK TABLES t WRITE
INSERT INTO t (v) VALUES (40)
UNLOCK TABLES
LOCK TABLES nope READ
SELECT GET_LOCK('differential', 0), IS_FREE_LOCK('differential'), RELEASE_LOCK('differential')
SELECT GET_LOCK('differential', 0)
SELECT IS_FREE_LOCK('differential')
SELECT RELEASE_LOCK('differential'), RELEASE_LOCK('differential')
SELECT RELEASE_ALL_LOCKS()
INSERT INTO t (v) VALUES (50), (51)
SELECT ROW_COUNT()
SELECT ROW_COUNT()
SELECT v FROM t WHERE v >= 50
SELECT FOUND_ROWS()
UPDATE t SET v = v + 1 WHERE v >= 50
SELECT ROW_COUNT()
SELECT nope FROM t
SHOW ERRORS
SHOW WARNINGS LIMIT 1
GET DIAGNOSTICS @n = NUMBER
SELECT @n
SELECT 1 / 0
SHOW COUNT(*) WARNINGS
SELECT @@warning_count, @@error_count
SELECT CAST('a' AS SIGNED), CAST('b' AS SIGNED)
GET DIAGNOSTICS CONDITION 1 @state = RETURNED_SQLSTATE, @message = MESSAGE_TEXT
SELECT @state, @message
PREPARE p FROM 'SELECT ? + 1, @x'
SET @v = 41
EXECUTE p USING @v
EXECUTE p
EXECUTE nope
DEALLOCATE PREPARE p
DROP PREPARE p
PREPARE p FROM 'SELEC'
PREPARE p FROM @undefined
PREPARE p FROM 'INSERT INTO t (v) VALUES (?)'
EXECUTE p USING @v
SELECT LAST_INSERT_ID() > 0, ROW_COUNT()
DEALLOCATE PREPARE p
EXECUTE IMMEDIATE 'SELECT 1'
-- @needs MULTI_STATEMENTS
SELECT 1; SELECT 2
-- @needs MULTI_STATEMENTS
SELECT 1; SELECT nope; SELECT 3
-- @needs MULTI_STATEMENTS
INSERT INTO t (v) VALUES (60); SELECT ROW_COUNT(); UPDATE t SET v = v; SET @multi = 5; SELECT @multi
-- @needs MULTI_STATEMENTS
SELECT @multi;
-- @needs MULTI_STATEMENTS
SET NAMES latin1; SELECT 'ä'
-- @needs MULTI_STATEMENTS
SET NAMES utf8mb4; SELECT 'ä';
-- @needs MULTI_STATEMENTS
BEGIN; INSERT INTO t (v) VALUES (61); ROLLBACK
-- @needs MULTI_STATEMENTS
SELECT 1;;
-- @needs MULTI_STATEMENTS
SELECT 1; -- done
-- @needs MULTI_STATEMENTS
; SELECT 1
SELECT 1; SELECT 2
-- @com RESET_CONNECTION
SELECT @x, @y, @@sql_mode, @@time_zone, @@character_set_client, DATABASE()
-- @com SET_OPTION \0\0
SELECT 1; SELECT 2
-- @com SET_OPTION \1\0
SELECT 1; SELECT 2
-- @com SET_OPTION \9\0
-- What a client and its server have agreed on.
SHOW STATUS LIKE 'Ssl_cipher'
SET NAMES latin1
SHOW STATUS LIKE 'ssl_version'
SHOW SESSION STATUS LIKE "Compression"
SET character_set_results = gbk
SHOW STATUS WHERE Variable_name = 'Ssl_cipher'
SET NAMES utf8mb4
SHOW LOCAL STATUS WHERE `Variable_name` LIKE 'compression_algorithm'
SHOW /* of this connection */ STATUS LIKE 'Compression_level'
SET NAMES DEFAULT
SHOW STATUS LIKE 'Ssl_cipher'
SET character_set_results = NULL
SHOW STATUS LIKE 'Ssl_cipher'
SET character_set_results = utf16
SHOW STATUS LIKE 'Ssl_cipher'
