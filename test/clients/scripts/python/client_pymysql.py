"""PyMySQL: a driver in Python alone, text protocol only."""
import pymysql
import pymysql.cursors
from dbapi import ENV, Matrix, attempt, all_results, say
from pymysql.constants import CLIENT


def connect(**more):
    options = {'host': ENV['host'], 'port': int(ENV['port']), 'user': ENV['user'], 'passwd': ENV['password'],
               'db': ENV['db'], 'charset': 'utf8mb4', 'read_timeout': 60, 'write_timeout': 60}
    return pymysql.connect(**{**options, **more})


matrix = Matrix(connect)
matrix.logins(ssl={'ca': ENV['ca']}, host='localhost')


def details(connection):
    packet = connection._result
    fields = [(f.catalog, f.db, f.table_name, f.org_table, f.name, f.org_name, f.charsetnr, f.length, f.type_code,
               f.flags, f.scale) for f in (packet.fields if packet and packet.fields else [])]
    return [('warnings', getattr(packet, 'warning_count', None), 'status', getattr(packet, 'server_status', None) or 0,
             'info', getattr(packet, 'message', None)), fields]


connection = connect(autocommit=True)
matrix.run_cases(connection, details)
connection.close()


def multi():
    connection = connect(client_flag=CLIENT.MULTI_STATEMENTS, autocommit=True)
    for name, sql in {
        'multi': "SELECT 1; SELECT 'two', 3; INSERT INTO work (v) VALUES ('m'); UPDATE work SET v = 'n' WHERE v = 'm'",
        'multi-error': "SELECT 1; SELECT * FROM nowhere; SELECT 2",
        'multi-transaction': "BEGIN; INSERT INTO work (v) VALUES ('mt'); SELECT COUNT(*) FROM work WHERE v = 'mt'; ROLLBACK",
        'multi-set': "SET @m = 3; SELECT @m; SET NAMES latin1; SELECT @@character_set_client; SET NAMES utf8mb4",
        'multi-call': "CALL several_sets(); SELECT 'after'",
    }.items():
        matrix.query(name, connection, sql)
    matrix.query('multi-usable', connection, 'SELECT 1')
    connection.close()
    matrix.query('multi-refused', connect(), 'SELECT 1; SELECT 2')


def procedures():
    connection = connect(autocommit=True)
    for name in ('several_sets', 'that_fails', 'that_warns'):
        matrix.query(f'call-{name}', connection, f'CALL {name}()')
        matrix.query(f'call-{name}-warnings', connection, 'SHOW WARNINGS')
    cursor = connection.cursor()
    say('callproc', cursor.callproc('with_out', (21, 0, 'word')))
    all_results('callproc', cursor)
    matrix.query('call-out', connection, 'SELECT @_with_out_1, @_with_out_2')
    connection.close()


def flags():
    for name, flag in (('plain', 0), ('found-rows', CLIENT.FOUND_ROWS), ('ignore-space', CLIENT.IGNORE_SPACE),
                       ('interactive', CLIENT.INTERACTIVE), ('no-schema', 16)):
        connection = connect(client_flag=flag, autocommit=True)
        matrix.query(f'flag-{name}', connection, "UPDATE items SET name = 'one' WHERE id = 1")
        matrix.query(f'flag-{name}-space', connection, 'SELECT COUNT (*) FROM items')
        matrix.query(f'flag-{name}-schema', connection, f"SELECT id FROM {ENV['db']}.items LIMIT 1")
        matrix.query(f'flag-{name}-mode', connection, 'SELECT @@sql_mode, @@wait_timeout = @@interactive_timeout')
        connection.close()


def infile():
    connection = connect(local_infile=True, autocommit=True)
    sql = f"LOAD DATA LOCAL INFILE '{ENV['files']}/rows.csv' INTO TABLE loaded FIELDS TERMINATED BY ','"
    matrix.query('infile', connection, sql)
    say('infile', connection._result.message)
    matrix.query('infile-warnings', connection, 'SHOW WARNINGS')
    matrix.query('infile-rows', connection, 'SELECT * FROM loaded ORDER BY id')
    matrix.query('infile-empty', connection, sql.replace('rows.csv', 'empty.csv'))
    matrix.query('infile-missing', connection, sql.replace('rows.csv', 'missing.csv'))
    matrix.query('infile-usable', connection, 'SELECT 1')
    matrix.query('infile-big', connection, sql.replace('rows.csv', 'big.csv').replace('INTO', 'REPLACE INTO'))
    matrix.query('infile-bad-table', connection, sql.replace('loaded', 'nowhere'))
    connection.close()
    matrix.query('infile-not-allowed', connect(), sql)


def commands():
    connection = connect()
    say('ping', connection.ping(reconnect=False))
    connection.select_db('information_schema')
    matrix.query('select-db', connection, 'SELECT DATABASE()')
    attempt('select-db-unknown', lambda: connection.select_db('no_such_schema'))
    matrix.query('select-db-still', connection, 'SELECT DATABASE()')
    attempt('show-warnings-api', connection.show_warnings)
    attempt('kill-api', lambda: connection.kill(999999999))
    attempt('autocommit-api', lambda: (connection.get_autocommit(), connection.autocommit(True), connection.get_autocommit()))
    connection.set_charset('latin1')
    matrix.query('set-charset-api', connection, 'SELECT @@character_set_client, @@character_set_results')
    connection.close()


def streaming():
    connection = connect(cursorclass=pymysql.cursors.SSCursor)
    cursor = connection.cursor()
    cursor.execute('SELECT n, label FROM numbers ORDER BY n')
    say('stream', cursor.fetchmany(3), cursor.fetchone())
    cursor.close()
    matrix.query('stream-usable', connection, 'SELECT 1')
    connection.close()
    connection = connect(cursorclass=pymysql.cursors.DictCursor)
    matrix.query('dict', connection, 'SELECT id, name FROM items WHERE id = 1')
    connection.close()


for work in (multi, procedures, flags, infile, commands, streaming):
    attempt(work.__name__, work)
matrix.common()
