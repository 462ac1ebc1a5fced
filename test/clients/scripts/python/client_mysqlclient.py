"""mysqlclient: a driver upon the C library (here MariaDB Connector/C)."""
import MySQLdb
import MySQLdb.cursors
from MySQLdb.constants import CLIENT
from dbapi import ENV, Matrix, all_results, attempt, attempt_value, say


def connect(**more):
    options = {'host': ENV['host'], 'port': int(ENV['port']), 'user': ENV['user'], 'passwd': ENV['password'],
               'db': ENV['db'], 'charset': 'utf8mb4', 'use_unicode': True}
    given = {**options, **more}
    return MySQLdb.connect(**{name: value for name, value in given.items() if value is not None})


# An error text that is not UTF-8 becomes an object that Python cannot even print.
matrix = Matrix(connect, decodes_errors=False)
matrix.logins(ssl={'ca': ENV['ca']})


def details(connection):
    return [('warnings', connection.warning_count(), 'info', connection.info(), 'insert id', connection.insert_id(),
             'fields', connection.field_count(), 'errno', connection.errno(), 'charset', connection.character_set_name())]


def fields(name, sql):
    def work():
        connection = connect()
        connection.query(sql)
        found = connection.store_result()
        say(name, found.describe(), found.field_flags(), found.num_rows())
    attempt(name, work)


connection = connect(autocommit=True)
matrix.run_cases(connection, details)
connection.close()
for table in ('all_types', 'items_view', 'numbers'):
    fields(f'fields-{table}', f'SELECT * FROM {table} LIMIT 1')


def multi():
    connection = connect(client_flag=CLIENT.MULTI_STATEMENTS, autocommit=True)
    for name, sql in {
        'multi': "SELECT 1; SELECT 'two', 3; INSERT INTO work (v) VALUES ('m'); UPDATE work SET v = 'n' WHERE v = 'm'",
        'multi-error': "SELECT 1; SELECT * FROM nowhere; SELECT 2",
        'multi-comment': "SELECT 1; -- nothing more",
        'multi-transaction': "BEGIN; INSERT INTO work (v) VALUES ('mt'); SELECT COUNT(*) FROM work WHERE v = 'mt'; ROLLBACK",
    }.items():
        matrix.query(name, connection, sql)
        say(name, attempt_value(lambda: details(connection)))
    attempt('set-option-off', lambda: connection.set_server_option(0))
    matrix.query('multi-refused', connection, 'SELECT 1; SELECT 2')
    matrix.query('multi-usable', connection, 'SELECT 1')
    connection.close()


def procedures():
    connection = connect(autocommit=True)
    for name in ('several_sets', 'that_fails', 'that_warns'):
        matrix.query(f'call-{name}', connection, f'CALL {name}()')
        say(f'call-{name}', attempt_value(lambda: details(connection)))
        matrix.query(f'call-{name}-warnings', connection, 'SHOW WARNINGS')
    cursor = connection.cursor()
    say('callproc', cursor.callproc('with_out', (21, 0, 'word')))
    all_results('callproc', cursor)
    matrix.query('call-out', connection, 'SELECT @_with_out_1, @_with_out_2')
    connection.close()


def flags():
    for name, flag in (('plain', 0), ('found-rows', CLIENT.FOUND_ROWS), ('ignore-space', CLIENT.IGNORE_SPACE),
                       ('interactive', CLIENT.INTERACTIVE), ('compress', CLIENT.COMPRESS)):
        connection = connect(client_flag=flag, autocommit=True)
        matrix.query(f'flag-{name}', connection, "UPDATE items SET name = 'one' WHERE id = 1")
        matrix.query(f'flag-{name}-space', connection, 'SELECT COUNT (*) FROM items')
        matrix.query(f'flag-{name}-mode', connection, 'SELECT @@sql_mode, @@wait_timeout = @@interactive_timeout')
        say(f'flag-{name}', attempt_value(lambda: details(connection)))
        connection.close()


def compression():
    connection = connect(compress=True, autocommit=True)
    matrix.query('compress-status', connection, "SHOW STATUS LIKE 'Compression'")
    matrix.query('compress-big', connection, "SELECT REPEAT('long text ', 500000)")
    matrix.query('compress-store', connection, 'REPLACE INTO big VALUES (9, %s)', (b'ab' * 1000000,))
    matrix.query('compress-random', connection, 'REPLACE INTO big VALUES (9, %s)', (bytes((n * n * 7919 >> 5) & 255 for n in range(300000)),))
    matrix.query('compress-length', connection, 'SELECT LENGTH(body), SHA2(body, 256) FROM big WHERE id = 9')
    matrix.query('compress-17mb', connection, "SELECT REPEAT('0123456789', 1800000)")
    for n in range(20):
        matrix.query('compress-small', connection, f'SELECT {n}')
    connection.close()


def infile():
    connection = connect(local_infile=1, autocommit=True)
    sql = f"LOAD DATA LOCAL INFILE '{ENV['files']}/rows.csv' INTO TABLE loaded FIELDS TERMINATED BY ','"
    for name, statement in {
        'infile': sql, 'infile-empty': sql.replace('rows.csv', 'empty.csv'), 'infile-missing': sql.replace('rows.csv', 'no.csv'),
        'infile-big': sql.replace('rows.csv', 'big.csv').replace('INTO', 'REPLACE INTO'),
        'infile-bad-table': sql.replace('loaded', 'nowhere'),
    }.items():
        matrix.query(name, connection, statement)
        say(name, attempt_value(lambda: details(connection)))
        matrix.query(f'{name}-warnings', connection, 'SHOW WARNINGS')
    matrix.query('infile-rows', connection, 'SELECT * FROM loaded WHERE id < 10 ORDER BY id')
    connection.close()
    matrix.query('infile-not-allowed', connect(local_infile=0), sql)


def commands():
    connection = connect(autocommit=True)
    say('ping', attempt_value(connection.ping))
    say('stat', attempt_value(lambda: connection.stat().split(':')[0]))
    connection.select_db('information_schema')
    matrix.query('select-db', connection, 'SELECT DATABASE()')
    attempt('select-db-unknown', lambda: connection.select_db('no_such_schema'))
    matrix.query('select-db-still', connection, 'SELECT DATABASE()')
    attempt('kill-api', lambda: connection.kill(999999999))
    matrix.query('user-before', connection, 'SET @kept = 1')
    for name, login in {
        'change-user': (ENV['other_user'], ENV['other_password'], ENV['db']),
        'change-user-back': (ENV['user'], ENV['password'], ENV['db']),
        'change-user-wrong': (ENV['other_user'], 'wrong', ENV['db']),
    }.items():
        attempt(name, lambda: connection.change_user(*login))
        matrix.query(f'{name}-afterwards', connection, 'SELECT CURRENT_USER(), DATABASE(), @kept, @@character_set_client')
    connection = connect()
    connection.set_character_set('latin1')
    matrix.query('set-charset-api', connection, 'SELECT @@character_set_client, @@character_set_results')
    attempt('shutdown', connection.shutdown)
    connection.close()


def streaming():
    connection = connect(cursorclass=MySQLdb.cursors.SSCursor)
    cursor = connection.cursor()
    cursor.execute('SELECT n, label FROM numbers ORDER BY n')
    say('stream', cursor.fetchmany(3), cursor.fetchone())
    attempt('stream-busy', lambda: connection.query('SELECT 1'))
    cursor.close()
    matrix.query('stream-usable', connection, 'SELECT 1')
    connection.close()


def read_defaults():
    connection = connect(read_timeout=1)
    matrix.query('read-timeout', connection, 'SELECT SLEEP(3)')
    matrix.query('read-timeout-afterwards', connection, 'SELECT 1')


for work in (multi, procedures, flags, compression, infile, commands, streaming, read_defaults):
    attempt(work.__name__, work)
matrix.common()
