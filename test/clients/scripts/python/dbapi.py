"""What the scripts of Python's drivers share: they have the same interface (PEP 249). See ../../README.md."""
import datetime
import decimal
import hashlib
import os
import sys
import threading
import time

ENV = {name[7:].lower(): value for name, value in os.environ.items() if name.startswith('MATRIX_')}


def show(value):
    if isinstance(value, (bytes, bytearray)):
        return ('x' + bytes(value).hex()) if len(value) <= 400 else digest(bytes(value))
    if isinstance(value, str):
        return repr(value) if len(value) <= 400 else digest(value.encode('utf-8', 'surrogateescape'))
    if isinstance(value, (list, tuple)):
        return '(' + ', '.join(show(item) for item in value) + ')'
    if isinstance(value, (set, frozenset)):
        return 'set' + show(sorted(value))
    if isinstance(value, dict):
        return '{' + ', '.join(f'{show(k)}: {show(v)}' for k, v in sorted(value.items())) + '}'
    if isinstance(value, (datetime.date, datetime.timedelta, decimal.Decimal)):
        return f'{type(value).__name__}({value})'
    return repr(value)


def digest(data):
    return f'{len(data)} bytes {hashlib.md5(data).hexdigest()}'


def say(name, *values):
    text = ' '.join(value if isinstance(value, str) else show(value) for value in values)
    print(f'{name}: {text}'.replace('\n', '\\n'), flush=True)


def attempt(name, work):
    """Runs one case; an error is a result like another."""
    try:
        value = work()
        if value is not None:
            say(name, value)
    except Exception as error:  # noqa: BLE001
        say(name, 'error', type(error).__name__, show(error.args))


def attempt_value(work):
    try:
        return work()
    except Exception as error:  # noqa: BLE001
        return f'error {type(error).__name__} {show(error.args)}'


def cases():
    with open(ENV['cases'], encoding='utf-8') as file:
        for line in file:
            if not line.startswith('#'):
                kind, name, sql, *params = line.rstrip('\n').split('\t')
                yield kind, name, sql, [parameter(text) for text in params]


def parameter(text):
    kind, _, value = text.partition(':')
    return {'i': int, 'd': float, 's': str, 'x': bytes.fromhex, 'n': lambda _: None}[kind](value)


def result(cursor):
    """Everything there is to know about the result a cursor stands on."""
    lines = [f'affected={cursor.rowcount} id={cursor.lastrowid}']
    if cursor.description is not None:
        lines.append(f'columns={show(cursor.description)}')
        lines.extend(show(row) for row in cursor.fetchall())
    return lines


def all_results(name, cursor):
    while True:
        for line in result(cursor):
            say(name, line)
        if not cursor.nextset():
            break


class Matrix:
    """`connect(**more)` opens a connection with the driver's own options."""

    def __init__(self, connect, decodes_errors=True):
        self.connect = connect
        self.decodes_errors = decodes_errors

    def query(self, name, connection, sql, params=None):
        def work():
            cursor = connection.cursor()
            cursor.execute(sql, params)
            all_results(name, cursor)
            cursor.close()
        attempt(name, work)

    def one(self, connection, sql):
        cursor = connection.cursor()
        cursor.execute(sql)
        row = cursor.fetchone()
        cursor.close()
        return row

    def run_cases(self, connection, details=lambda connection: ''):
        for kind, name, sql, params in cases():
            self.query(name, connection, sql.replace('%', '%%').replace('?', '%s') if params else sql, params or None)
            say(name, attempt_value(lambda: details(connection)))

    def logins(self, **tls):
        """Options of the driver for a login with TLS."""
        socket = {'unix_socket': ENV['socket'], 'host': 'localhost'}
        variants = {
            'login-tcp': {}, 'login-tls': tls, 'login-socket': socket, 'login-no-schema': {'db': None},
            'login-wrong-password': {'passwd': 'wrong'}, 'login-no-password': {'passwd': ''},
            'login-unknown-user': {'user': 'matrix_nobody'}, 'login-unknown-schema': {'db': 'no_such_schema'},
            'login-denied-schema': {'db': 'mysql'}, 'login-latin1': {'charset': 'latin1'},
            'login-sjis': {'charset': 'sjis'}, 'login-init-command': {'init_command': "SET @first = 'yes'"},
            'login-autocommit': {'autocommit': True},
        }
        sql = ("SELECT DATABASE(), @first, @@autocommit, @@character_set_client, @@collation_connection, "
               "@@character_set_results")
        for name, options in variants.items():
            def work():
                connection = self.connect(**options)
                self.query(name, connection, sql)
                say(name, connection.get_server_info())
                if options is tls:
                    say(name, self.one(connection, "SHOW STATUS LIKE 'Ssl_version'"))
                connection.close()
            attempt(name, work)

    def common(self):
        for work in (self.big, self.many_rows, self.bulk, self.transactions, self.charsets, self.kill, self.locks,
                     self.expiry, self.left_open, self.read_after_write):
            attempt(work.__name__.replace('_', '-'), work)

    def big(self):
        connection = self.connect()
        for size in (1 << 20, (1 << 24) - 60, 17 << 20):
            body = bytes(range(256)) * (size // 256)
            cursor = connection.cursor()
            self.query('big-store', connection, 'REPLACE INTO big VALUES (1, %s)', (body,))
            attempt('big-commit', connection.commit)
            self.query('big-length', connection, 'SELECT LENGTH(body), SHA2(body, 256) FROM big')
            self.query('big-fetch', connection, 'SELECT id, body, id FROM big')
            cursor.close()
        self.query('big-text', connection, "SELECT REPEAT('x', 16777200), REPEAT('y', 100), 1")
        connection.close()

    def many_rows(self):
        connection = self.connect()
        cursor = connection.cursor()
        cursor.execute('SELECT a.n, a.label, b.n FROM numbers a JOIN numbers b ON b.n < 10 ORDER BY a.n, b.n')
        rows = cursor.fetchall()
        say('many-rows', len(rows), digest(repr(rows).encode()))
        for _ in range(300):
            cursor.execute('SELECT 1')
            cursor.fetchall()
        connection.close()

    def bulk(self):
        connection = self.connect()
        cursor = connection.cursor()
        cursor.executemany('INSERT INTO work (v) VALUES (%s)', [(f'bulk {n}',) for n in range(500)])
        say('bulk', cursor.rowcount)
        connection.commit()
        self.query('bulk-count', connection, "SELECT COUNT(*) FROM work WHERE v LIKE 'bulk %'")
        connection.close()

    def transactions(self):
        one, other = self.connect(), self.connect()
        self.query('tx-insert', one, "INSERT INTO work (v) VALUES ('tx')")
        self.query('tx-other-sees', other, "SELECT COUNT(*) FROM work WHERE v = 'tx'")
        one.rollback()
        other.rollback()
        self.query('tx-rolled-back', one, "SELECT COUNT(*) FROM work WHERE v = 'tx'")
        self.query('tx-again', one, "INSERT INTO work (v) VALUES ('tx')")
        one.commit()
        self.query('tx-lock', one, "UPDATE items SET amount = 9 WHERE id = 1")
        self.query('tx-wait', other, 'SET innodb_lock_wait_timeout = 1')
        self.query('tx-wait-timeout', other, "UPDATE items SET amount = 8 WHERE id = 1")
        one.rollback()
        self.deadlock(one, other)
        one.close()
        other.close()

    def deadlock(self, one, other):
        for connection, row in ((one, 1), (other, 2)):
            connection.rollback()
            self.query('deadlock-first', connection, f'UPDATE items SET amount = 7 WHERE id = {row}')
        self.query('deadlock-patience', one, 'SET innodb_lock_wait_timeout = 20')
        self.query('deadlock-patience', other, 'SET innodb_lock_wait_timeout = 20')
        errors = []

        def cross(connection, row):
            try:
                connection.cursor().execute(f'UPDATE items SET amount = 6 WHERE id = {row}')
                errors.append('fine')
            except Exception as error:  # noqa: BLE001
                errors.append(show(error.args))
            connection.rollback()
        thread = threading.Thread(target=cross, args=(one, 2))
        thread.start()
        time.sleep(0.3)
        cross(other, 1)
        thread.join()
        say('deadlock', sorted(errors))

    def charsets(self):
        for charset, text in (('latin1', 'Grüße'), ('utf8', 'Grüße 世界'), ('utf8mb4', '😀 世界'), ('sjis', 'テスト'),
                              ('cp1251', 'Привет'), ('gbk', '世界')):
            def work():
                connection = self.connect(charset=charset)
                self.query(f'charset-{charset}', connection, 'SELECT %s AS word, HEX(%s), CHARSET(%s)', (text,) * 3)
                self.query(f'charset-{charset}-write', connection, 'INSERT INTO work (v) VALUES (%s)', (text,))
                self.query(f'charset-{charset}-read', connection, 'SELECT v, HEX(v) FROM work ORDER BY id DESC LIMIT 1')
                if self.decodes_errors:
                    self.query(f'charset-{charset}-error', connection, f'SELECT * FROM `{text}`')
                connection.close()
            attempt(f'charset-{charset}', work)

    def kill(self):
        for how, by in (('QUERY', 'greeting'), ('CONNECTION', 'greeting'), ('QUERY', 'function'), ('CONNECTION', 'function')):
            name = f'kill-{how.lower()}-by-{by}'
            victim, killer = self.connect(), self.connect()
            number = victim.thread_id() if by == 'greeting' else self.one(victim, 'SELECT CONNECTION_ID()')[0]
            say(name, 'ids agree', victim.thread_id() == self.one(victim, 'SELECT CONNECTION_ID()')[0])
            thread = threading.Thread(target=self.query, args=(f'{name}-victim', victim, 'SELECT SLEEP(4) AS slept'))
            thread.start()
            time.sleep(0.4)
            began = time.monotonic()
            self.query(name, killer, f'KILL {how} {number}')
            thread.join()
            say(name, 'in time', time.monotonic() - began < 3)
            self.query(f'{name}-afterwards', victim, 'SELECT 1')
            killer.close()
            attempt(f'{name}-close', victim.close)
        self.query('kill-own', self.connect(), 'KILL CONNECTION_ID()')

    def locks(self):
        one, other = self.connect(), self.connect()
        lock = f"'{ENV['db']} held'"
        self.query('lock-get', one, f"SELECT GET_LOCK({lock}, 0)")
        self.query('lock-refused', other, f"SELECT GET_LOCK({lock}, 0), IS_FREE_LOCK({lock})")
        one.close()
        time.sleep(0.2)
        self.query('lock-after-close', other, f"SELECT GET_LOCK({lock}, 2)")
        other.close()

    def expiry(self):
        connection = self.connect()
        self.query('expiry-set', connection, 'SET SESSION wait_timeout = 1')
        self.query('expiry-value', connection, 'SELECT @@session.wait_timeout')
        time.sleep(2.5)
        self.query('expiry', connection, 'SELECT 1')
        self.query('expiry-again', connection, 'SELECT 2')
        attempt('expiry-close', connection.close)
        connection = self.connect()
        self.query('expiry-reconnected', connection, 'SELECT @@session.wait_timeout > 1')
        connection.close()

    def left_open(self):
        connection = self.connect()
        self.query('left-insert', connection, "INSERT INTO work (v) VALUES ('left')")
        connection.close()
        time.sleep(0.2)
        self.query('left-gone', self.connect(), "SELECT COUNT(*) FROM work WHERE v = 'left'")

    def read_after_write(self):
        connection = self.connect()
        connection.autocommit(True)
        seen = []
        for n in range(50):
            cursor = connection.cursor()
            cursor.execute('INSERT INTO work (v) VALUES (%s)', (f'raw {n}',))
            cursor.execute("SELECT COUNT(*) FROM work WHERE v LIKE 'raw %'")
            seen.append(cursor.fetchone()[0] == n + 1)
        say('read-after-write', all(seen))
        connection.close()
