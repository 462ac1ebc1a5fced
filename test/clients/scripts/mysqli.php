<?php
// PHP's mysqli upon mysqlnd: text and binary protocol, several results, LOCAL INFILE, change user. See ../README.md.
require __DIR__ . '/shared.php';
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

function connect(array $more = []): mysqli {
    $given = $more + ['host' => ENV['host'], 'user' => ENV['user'], 'password' => ENV['password'], 'db' => ENV['db'],
        'port' => (int) ENV['port'], 'socket' => null, 'flags' => 0, 'charset' => 'utf8mb4', 'ssl' => false, 'options' => []];
    $link = mysqli_init();
    foreach ($given['options'] as $name => $value) $link->options($name, $value);
    if ($given['ssl']) $link->ssl_set(null, null, ENV['ca'], null, null);
    $flags = $given['flags'] | ($given['ssl'] ? MYSQLI_CLIENT_SSL : 0);
    $link->real_connect($given['host'], $given['user'], $given['password'], $given['db'], $given['port'], $given['socket'], $flags);
    if ($given['charset'] !== null) $link->set_charset($given['charset']);
    return $link;
}

function say_columns(string $name, mysqli_result $result): void {
    foreach ($result->fetch_fields() as $f) {
        say($name, [$f->name, $f->orgname, $f->table, $f->orgtable, $f->db, $f->catalog, $f->length, $f->charsetnr, $f->flags, $f->type, $f->decimals]);
    }
}

function say_state(string $name, mysqli $link): void {
    say($name, ['affected' => $link->affected_rows, 'id' => $link->insert_id, 'info' => $link->info,
        'warnings' => $link->warning_count, 'fields' => $link->field_count, 'state' => $link->sqlstate]);
}

function text(string $name, mysqli $link, string $sql): void {
    attempt($name, function () use ($name, $link, $sql) {
        $link->multi_query($sql);
        do {
            $result = $link->store_result();
            if ($result) {
                say_columns($name, $result);
                while ($row = $result->fetch_row()) say($name, $row);
                $result->free();
            }
            say_state($name, $link);
        } while ($link->more_results() && $link->next_result());
    });
    if ($link->errno) {
        say($name, [$link->errno, $link->sqlstate, $link->error]);
        foreach ($link->error_list as $one) say($name, $one);
    }
    attempt("$name-drain", function () use ($link) { while ($link->more_results() && $link->next_result()); });
}

function prepared(string $name, mysqli $link, string $sql, array $params = []): void {
    attempt($name, function () use ($name, $link, $sql, $params) {
        $statement = $link->prepare($sql);
        say($name, ['params' => $statement->param_count, 'fields' => $statement->field_count]);
        run_prepared($name, $statement, $params);
        $statement->close();
    });
    attempt("$name-drain", function () use ($link) { while ($link->more_results() && $link->next_result()); });
}

function run_prepared(string $name, mysqli_stmt $statement, array $params): void {
    if ($params) {
        $types = implode('', array_map(fn($p) => is_int($p) ? 'i' : (is_float($p) ? 'd' : 's'), $params));
        $statement->bind_param($types, ...$params);
    }
    $statement->execute();
    do {
        $result = $statement->get_result();
        if ($result) {
            say_columns($name, $result);
            while ($row = $result->fetch_row()) say($name, $row);
        }
        say($name, ['affected' => $statement->affected_rows, 'id' => $statement->insert_id, 'state' => $statement->sqlstate]);
    } while ($statement->more_results() && $statement->next_result());
}

$who = 'SELECT DATABASE(), @@character_set_client, @@collation_connection, @@autocommit, @first';
foreach ([
    'login-tcp' => [], 'login-tls' => ['ssl' => true, 'host' => 'localhost.'], 'login-tls-ip' => ['ssl' => true],
    'login-socket' => ['host' => 'localhost', 'socket' => ENV['socket']], 'login-no-schema' => ['db' => null],
    'login-wrong-password' => ['password' => 'wrong'], 'login-no-password' => ['password' => ''],
    'login-unknown-user' => ['user' => 'matrix_nobody'], 'login-unknown-schema' => ['db' => 'no_such_schema'],
    'login-denied-schema' => ['db' => 'mysql'], 'login-default-charset' => ['charset' => null], 'login-latin1' => ['charset' => 'latin1'],
    'login-persistent' => ['host' => 'p:' . ENV['host']], 'login-compressed' => ['flags' => MYSQLI_CLIENT_COMPRESS],
    'login-init-command' => ['options' => [MYSQLI_INIT_COMMAND => "SET @first = 'yes'"]],
] as $name => $options) {
    if ($name === 'login-tls') $options['host'] = 'localhost';
    if ($name === 'login-tls') continue; // mysqlnd takes this name for the socket
    attempt($name, function () use ($name, $options, $who) {
        $link = connect($options);
        text($name, $link, $who);
        say($name, [$link->server_info, $link->server_version, $link->protocol_version, explode(' ', $link->host_info)[0]]);
        $link->close();
    });
}

$link = connect();
foreach (cases() as [$kind, $name, $sql, $params]) {
    if ($kind === 'text') text($name, $link, $sql);
    else prepared($name, $link, $sql, $params);
}
$link->close();
$link = connect();
foreach (cases() as [$kind, $name, $sql, $params]) {
    if ($kind === 'text') prepared("binary-$name", $link, $sql);
}
$link->close();

$link = connect();
attempt('native-types', function () use ($link) {
    $link->options(MYSQLI_OPT_INT_AND_FLOAT_NATIVE, 1);
    foreach ($link->query('SELECT * FROM all_types ORDER BY id') as $row) say('native-types', $row);
});
attempt('multi', function () use ($link) {
    foreach ([
        'multi' => "SELECT 1; SELECT 'two', 3; INSERT INTO work (v) VALUES ('m'); UPDATE work SET v = 'n' WHERE v = 'm'",
        'multi-error' => 'SELECT 1; SELECT * FROM nowhere; SELECT 2',
        'multi-transaction' => "BEGIN; INSERT INTO work (v) VALUES ('mt'); SELECT COUNT(*) FROM work WHERE v = 'mt'; ROLLBACK",
        'multi-many' => implode('; ', array_map(fn($n) => "SELECT $n", range(1, 60))),
    ] as $name => $sql) text($name, $link, $sql);
    attempt('multi-refused', fn() => $link->query('SELECT 1; SELECT 2'));
    text('multi-usable', $link, 'SELECT 1');
    $link->multi_query('SELECT 1; SELECT 2');
    attempt('multi-out-of-sync', fn() => $link->query('SELECT 3'));
});
$link->close();

$link = connect();
foreach (['several_sets', 'that_fails', 'that_warns'] as $procedure) {
    text("call-$procedure", $link, "CALL $procedure()");
    text("call-$procedure-warnings", $link, 'SHOW WARNINGS');
    prepared("call-prepared-$procedure", $link, "CALL $procedure()");
}
text('call-out', $link, "SET @w = 'word'");
prepared('call-out', $link, 'CALL with_out(?, @d, @w)', [21]);
text('call-out', $link, 'SELECT @d, @w');
prepared('call-out-parameters', $link, 'CALL with_out(?, ?, ?)', [21, 0, 'word']);
$link->close();

$link = connect();
attempt('statement', function () use ($link) {
    $statement = $link->prepare('SELECT id, name FROM items WHERE id > ? ORDER BY id');
    foreach ([0, 2, '1', 2.5, null] as $param) run_prepared('statement', $statement, [$param]);
    $statement->bind_param('i', $n);
    foreach ([1, 3] as $n) {
        $statement->execute();
        $statement->store_result();
        $statement->bind_result($id, $label);
        while ($statement->fetch()) say('statement-rebound', [$id, $label]);
        say('statement-rebound', [$statement->num_rows]);
    }
    attempt('statement-reset', fn() => $statement->reset());
    text('statement-ddl', $link, 'ALTER TABLE items ADD COLUMN extra INT DEFAULT 7');
    run_prepared('statement-after-ddl', $statement, [0]);
    text('statement-ddl', $link, 'ALTER TABLE items DROP COLUMN extra');
});
attempt('cursor', function () use ($link) {
    $statement = $link->prepare('SELECT n, label FROM numbers ORDER BY n');
    $statement->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
    $statement->attr_set(MYSQLI_STMT_ATTR_PREFETCH_ROWS, 100);
    $statement->execute();
    $statement->bind_result($n, $label);
    for ($row = 0, $sum = 0; $statement->fetch(); $row++) $sum += $n;
    say('cursor', [$row, $sum, $label]);
});
attempt('cursor-half', function () use ($link) {
    $statement = $link->prepare('SELECT n FROM numbers WHERE n >= ? ORDER BY n');
    $statement->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
    $start = 10;
    $statement->bind_param('i', $start);
    $statement->execute();
    $statement->bind_result($n);
    for ($row = 0; $row < 5; $row++) $statement->fetch();
    say('cursor-half', [$n]);
    text('cursor-half-other', $link, "INSERT INTO work (v) VALUES ('while a cursor is open')");
    $statement->fetch();
    say('cursor-half', [$n]);
    $statement->close();
    text('cursor-half-usable', $link, 'SELECT COUNT(*) FROM work');
});
attempt('long-data', function () use ($link) {
    $statement = $link->prepare('REPLACE INTO big VALUES (?, ?)');
    $null = null;
    $id = 5;
    $statement->bind_param('ib', $id, $null);
    for ($part = 0; $part < 30; $part++) $statement->send_long_data(1, str_repeat(chr(65 + $part % 26), 100000));
    $statement->execute();
    say('long-data', [$statement->affected_rows]);
    text('long-data', $link, 'SELECT LENGTH(body), SHA2(body, 256) FROM big WHERE id = 5');
    $id = 6;
    $statement->send_long_data(1, 'again');
    $statement->execute();
    text('long-data-again', $link, 'SELECT body FROM big WHERE id = 6');
    $statement->send_long_data(1, 'thrown away');
    $statement->reset();
    $statement->execute();
    text('long-data-reset', $link, 'SELECT body FROM big WHERE id = 6');
});
$link->close();

foreach (['plain' => 0, 'found-rows' => MYSQLI_CLIENT_FOUND_ROWS, 'ignore-space' => MYSQLI_CLIENT_IGNORE_SPACE,
    'interactive' => MYSQLI_CLIENT_INTERACTIVE] as $name => $flag) {
    $link = connect(['flags' => $flag]);
    text("flag-$name", $link, "UPDATE items SET name = 'one' WHERE id = 1");
    prepared("flag-$name", $link, "UPDATE items SET name = ? WHERE id = 1", ['one']);
    text("flag-$name-space", $link, 'SELECT COUNT (*) FROM items');
    text("flag-$name-mode", $link, 'SELECT @@sql_mode, @@wait_timeout = @@interactive_timeout');
    $link->close();
}

$link = connect(['options' => [MYSQLI_OPT_LOCAL_INFILE => 1]]);
$load = "LOAD DATA LOCAL INFILE '" . ENV['files'] . "/rows.csv' INTO TABLE loaded FIELDS TERMINATED BY ','";
text('infile', $link, $load);
text('infile-warnings', $link, 'SHOW WARNINGS');
text('infile-rows', $link, 'SELECT * FROM loaded ORDER BY id');
text('infile-empty', $link, str_replace('rows.csv', 'empty.csv', $load));
text('infile-missing', $link, str_replace('rows.csv', 'none.csv', $load));
text('infile-big', $link, str_replace(['rows.csv', ' INTO'], ['big.csv', ' REPLACE INTO'], $load));
text('infile-bad-table', $link, str_replace('loaded', 'nowhere', $load));
text('infile-usable', $link, 'SELECT COUNT(*) FROM loaded');
$link->close();
text('infile-not-allowed', connect(), $load);

$link = connect();
attempt('ping', fn() => $link->ping());
attempt('stat', fn() => explode(':', $link->stat())[0]);
attempt('select-db', fn() => $link->select_db('information_schema'));
text('select-db', $link, 'SELECT DATABASE()');
attempt('select-db-unknown', fn() => $link->select_db('no_such_schema'));
text('select-db-still', $link, 'SELECT DATABASE()');
attempt('refresh', fn() => $link->refresh(MYSQLI_REFRESH_TABLES));
attempt('dump-debug', fn() => $link->dump_debug_info());
attempt('kill-unknown', fn() => $link->kill(999999999));
text('kept', $link, 'SET @kept = 1');
$state = 'SELECT CURRENT_USER(), DATABASE(), @kept, @@character_set_client';
foreach (['change-user' => [ENV['other_user'], ENV['other_password'], ENV['db']], 'change-user-no-schema' => [ENV['user'], ENV['password'], null],
    'change-user-unknown-schema' => [ENV['user'], ENV['password'], 'no_such_schema']] as $name => $login) {
    attempt($name, fn() => $link->change_user(...$login));
    text("$name-afterwards", $link, $state);
}
attempt('change-user-wrong', fn() => $link->change_user(ENV['other_user'], 'wrong', null));
text('change-user-wrong-afterwards', $link, $state);
$link = connect();
attempt('autocommit', fn() => $link->autocommit(false));
text('autocommit', $link, "INSERT INTO work (v) VALUES ('api')");
attempt('rollback', fn() => $link->rollback());
text('rolled-back', $link, "SELECT COUNT(*), @@autocommit FROM work WHERE v = 'api'");
attempt('autocommit', fn() => $link->autocommit(true));
foreach ([MYSQLI_TRANS_START_READ_ONLY, MYSQLI_TRANS_START_WITH_CONSISTENT_SNAPSHOT, MYSQLI_TRANS_START_READ_WRITE] as $mode) {
    attempt('begin', fn() => $link->begin_transaction($mode, 'named'));
    text('begin-write', $link, "INSERT INTO work (v) VALUES ('in transaction')");
    attempt('savepoint', fn() => $link->savepoint('sp'));
    attempt('release', fn() => $link->release_savepoint('sp'));
    attempt('rollback-chain', fn() => $link->rollback(MYSQLI_TRANS_COR_AND_CHAIN));
    attempt('commit', fn() => $link->commit());
}
$link->close();

$link = connect();
text('get-warnings', $link, "SELECT 1 / 0, CAST('x' AS SIGNED)");
attempt('get-warnings', function () use ($link) {
    $link->query("INSERT IGNORE INTO items (id, name) VALUES (1, 'dup')");
    $warning = $link->get_warnings();
    do say('get-warnings', [$warning->errno, $warning->sqlstate, $warning->message]); while ($warning->next());
});
attempt('unbuffered', function () use ($link) {
    $result = $link->query('SELECT a.n FROM numbers a JOIN numbers b ON b.n < 10', MYSQLI_USE_RESULT);
    for ($rows = 0; $result->fetch_row(); $rows++);
    $result->free();
    return $rows;
});
attempt('unbuffered-half', function () use ($link) {
    $result = $link->query('SELECT n FROM numbers ORDER BY n', MYSQLI_USE_RESULT);
    say('unbuffered-half', $result->fetch_row());
    attempt('unbuffered-busy', fn() => $link->query('SELECT 1'));
    $result->free();
});
text('unbuffered-usable', $link, 'SELECT 1');
attempt('async', function () use ($link) {
    $link->query('SELECT SLEEP(0.2), 7', MYSQLI_ASYNC);
    $read = $error = $reject = [$link];
    while (!mysqli_poll($read, $error, $reject, 1)) $read = $error = $reject = [$link];
    return $link->reap_async_query()->fetch_row();
});
foreach ([1 << 20, (1 << 24) - 40, 17 << 20] as $size) {
    $body = str_repeat('0123456789abcdef', $size >> 4);
    text('big-store', $link, "REPLACE INTO big VALUES (1, '$body')");
    prepared('big-store-prepared', $link, 'REPLACE INTO big VALUES (?, ?)', [2, $body]);
    text('big-fetch', $link, 'SELECT id, body, SHA2(body, 256) FROM big WHERE id < 3 ORDER BY id');
    prepared('big-fetch-prepared', $link, 'SELECT id, body, id FROM big WHERE id = ?', [2]);
}
$link->close();
$link = connect(['flags' => MYSQLI_CLIENT_COMPRESS]);
text('compressed-big', $link, "SELECT REPEAT('long text ', 500000)");
text('compressed-store', $link, "REPLACE INTO big VALUES (3, '" . str_repeat('compress me ', 300000) . "')");
text('compressed-read', $link, 'SELECT LENGTH(body), SHA2(body, 256) FROM big WHERE id = 3');
text('compressed-status', $link, "SHOW STATUS LIKE 'Compression'");
for ($n = 0; $n < 20; $n++) text('compressed-small', $link, "SELECT $n");
$link->close();

foreach (['latin1' => "Gr\xfc\xdfe", 'utf8mb4' => '😀 世界', 'sjis' => "\x83\x65\x83\x58\x83\x67", 'gbk' => "\xca\xc0\xbd\xe7", 'cp1251' => "\xcf\xf0\xe8"] as $charset => $word) {
    attempt("charset-$charset", function () use ($charset, $word) {
        $link = connect(['charset' => $charset]);
        $escaped = $link->real_escape_string($word);
        say("charset-$charset", bin2hex($escaped));
        $hex = fn($rows) => array_map(fn($row) => array_map(fn($v) => $v === null ? null : bin2hex($v), $row), $rows);
        say("charset-$charset", $hex($link->query("SELECT '$escaped', HEX('$escaped'), '$escaped' AS a")->fetch_all()));
        $statement = $link->prepare('SELECT ?, HEX(?)');
        $statement->bind_param('ss', $word, $word);
        $statement->execute();
        say("charset-$charset", $hex($statement->get_result()->fetch_all()));
        $link->close();
    });
}

foreach (['QUERY', 'CONNECTION'] as $how) {
    foreach (['greeting', 'function'] as $by) {
        $name = 'kill-' . strtolower($how) . "-by-$by";
        [$victim, $killer] = [connect(), connect()];
        $shown = $victim->query('SELECT CONNECTION_ID()')->fetch_row()[0];
        say($name, 'ids agree ' . var_export($shown == $victim->thread_id, true));
        $victim->query('SELECT SLEEP(4) AS slept', MYSQLI_ASYNC);
        usleep(400000);
        $began = microtime(true);
        text($name, $killer, "KILL $how " . ($by === 'greeting' ? $victim->thread_id : $shown));
        attempt("$name-victim", fn() => $victim->reap_async_query()->fetch_row());
        say($name, 'in time ' . var_export(microtime(true) - $began < 3, true));
        attempt("$name-afterwards", fn() => $victim->query('SELECT 1')->fetch_row());
        $killer->close();
    }
}
$link = connect();
text('expiry', $link, 'SET SESSION wait_timeout = 1');
usleep(2500000);
attempt('expiry', fn() => @$link->query('SELECT 1')->fetch_row());
attempt('expiry-again', fn() => @$link->query('SELECT 2')->fetch_row());
$link = connect();
text('expiry-reconnected', $link, 'SELECT 3');
$link->close();
