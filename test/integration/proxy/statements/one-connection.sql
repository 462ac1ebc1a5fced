-- Variables that mean something to one connection, or to its next statement, only.
CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)
INSERT INTO t (v) VALUES (1), (2), (3)
-- @settle
SELECT * FROM t
SET rand_seed1 = 1, rand_seed2 = 2
SELECT RAND()
SET insert_id = 77
INSERT INTO t (v) VALUES (77)
SELECT * FROM t WHERE id = 77
SET last_insert_id = 5
SELECT LAST_INSERT_ID()
SET pseudo_thread_id = 1
