<?php
// PHP's PDO upon mysqlnd: emulated and native prepared statements. See ../README.md.
require __DIR__ . '/shared.php';

function connect(array $more = [], array $dsn = [], ?string $user = null, ?string $password = null): PDO {
    $parts = $dsn + ['host' => ENV['host'], 'port' => ENV['port'], 'dbname' => ENV['db'], 'charset' => 'utf8mb4'];
    $text = implode(';', array_map(fn($name) => "$name=$parts[$name]", array_keys(array_filter($parts, fn($value) => $value !== null))));
    $options = $more + [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
    return new PDO("mysql:$text", $user ?? ENV['user'], $password ?? ENV['password'], $options);
}

function say_result(string $name, PDOStatement $statement): void {
    do {
        for ($at = 0; $at < $statement->columnCount(); $at++) say($name, $statement->getColumnMeta($at) ?: ['no meta']);
        if ($statement->columnCount() > 0) foreach ($statement->fetchAll(PDO::FETCH_NUM) as $row) say($name, $row);
        say($name, ['rows' => $statement->rowCount(), 'state' => $statement->errorCode()]);
    } while ($statement->nextRowset());
}

function text(string $name, PDO $link, string $sql): void {
    attempt($name, function () use ($name, $link, $sql) {
        say_result($name, $link->query($sql));
        say($name, ['id' => $link->lastInsertId()]);
    });
}

function prepared(string $name, PDO $link, string $sql, array $params = []): void {
    attempt($name, function () use ($name, $link, $sql, $params) {
        $statement = $link->prepare($sql);
        foreach ($params as $at => $param) {
            $type = match (true) { is_int($param) => PDO::PARAM_INT, $param === null => PDO::PARAM_NULL, default => PDO::PARAM_STR };
            $statement->bindValue($at + 1, $param, $type);
        }
        $statement->execute();
        say_result($name, $statement);
        say($name, ['id' => $link->lastInsertId()]);
    });
}

$who = 'SELECT DATABASE(), @@character_set_client, @@collation_connection, @@autocommit, @first';
$tls = [PDO::MYSQL_ATTR_SSL_CA => ENV['ca']];
foreach ([
    'login-tcp' => [], 'login-tls' => [$tls], 'login-socket' => [[], ['host' => null, 'port' => null, 'unix_socket' => ENV['socket']]],
    'login-no-schema' => [[], ['dbname' => null]], 'login-wrong-password' => [[], [], ENV['user'], 'wrong'],
    'login-no-password' => [[], [], ENV['user'], ''], 'login-unknown-user' => [[], [], 'matrix_nobody'],
    'login-unknown-schema' => [[], ['dbname' => 'no_such_schema']], 'login-latin1' => [[], ['charset' => 'latin1']],
    'login-compressed' => [[PDO::MYSQL_ATTR_COMPRESS => true]], 'login-persistent' => [[PDO::ATTR_PERSISTENT => true]],
    'login-init-command' => [[PDO::MYSQL_ATTR_INIT_COMMAND => "SET @first = 'yes'"]],
    'login-found-rows' => [[PDO::MYSQL_ATTR_FOUND_ROWS => true]], 'login-ignore-space' => [[PDO::MYSQL_ATTR_IGNORE_SPACE => true]],
    'login-no-multi' => [[PDO::MYSQL_ATTR_MULTI_STATEMENTS => false]], 'login-no-autocommit' => [[PDO::ATTR_AUTOCOMMIT => false]],
] as $name => $arguments) {
    attempt($name, function () use ($name, $arguments, $who) {
        $link = connect(...$arguments);
        text($name, $link, $who);
        say($name, [$link->getAttribute(PDO::ATTR_SERVER_VERSION), explode(':', $link->getAttribute(PDO::ATTR_SERVER_INFO))[0]]);
        text("$name-same", $link, "UPDATE items SET name = 'one' WHERE id = 1");
        text("$name-multi", $link, 'SELECT 1; SELECT 2');
        text("$name-space", $link, 'SELECT COUNT (*) FROM items');
    });
}

foreach (['emulated' => true, 'native' => false] as $way => $emulate) {
    $link = connect([PDO::ATTR_EMULATE_PREPARES => $emulate]);
    foreach (cases() as [$kind, $name, $sql, $params]) {
        if ($kind === 'text' && $emulate) text($name, $link, $sql);
        else prepared("$way-$name", $link, $sql, $params);
    }
    foreach (['several_sets', 'that_fails', 'that_warns'] as $procedure) {
        prepared("$way-call-$procedure", $link, "CALL $procedure()");
        text("$way-call-$procedure-warnings", $link, 'SHOW WARNINGS');
    }
    prepared("$way-call-out", $link, "CALL with_out(?, @d, @w)", [21]);
    text("$way-call-out", $link, 'SELECT @d, @w');
    prepared("$way-types", $link, 'SELECT * FROM all_types WHERE id < ? ORDER BY id', [4]);
    attempt("$way-transaction", function () use ($way, $link) {
        $link->beginTransaction();
        prepared("$way-transaction", $link, 'INSERT INTO work (v) VALUES (?)', ['pdo']);
        say("$way-transaction", [$link->inTransaction()]);
        $link->rollBack();
        prepared("$way-transaction", $link, 'SELECT COUNT(*) FROM work WHERE v = ?', ['pdo']);
        $link->beginTransaction();
        prepared("$way-transaction", $link, 'INSERT INTO work (v) VALUES (?)', ['pdo']);
        text("$way-transaction", $link, 'CREATE TABLE implicit (id INT)');
        say("$way-transaction", [$link->inTransaction()]);
        text("$way-transaction", $link, 'DROP TABLE implicit');
        attempt("$way-transaction-commit", fn() => $link->commit());
    });
    attempt("$way-reexecute", function () use ($way, $link) {
        $statement = $link->prepare('SELECT name FROM items WHERE id = ?');
        foreach ([1, 2, '3', null] as $id) {
            $statement->execute([$id]);
            say("$way-reexecute", $statement->fetchAll(PDO::FETCH_COLUMN));
        }
    });
    attempt("$way-unbuffered", function () use ($way, $link) {
        $link->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, false);
        $statement = $link->prepare('SELECT n, label FROM numbers WHERE n >= ? ORDER BY n');
        $statement->execute([10]);
        say("$way-unbuffered", $statement->fetch(PDO::FETCH_NUM));
        attempt("$way-unbuffered-busy", fn() => $link->query('SELECT 1'));
        $statement->closeCursor();
        text("$way-unbuffered-usable", $link, 'SELECT 1');
        $link->setAttribute(PDO::MYSQL_ATTR_USE_BUFFERED_QUERY, true);
    });
    foreach ([1 << 20, 17 << 20] as $size) {
        prepared("$way-big", $link, 'REPLACE INTO big VALUES (?, ?)', [1, str_repeat('0123456789abcdef', $size >> 4)]);
        prepared("$way-big", $link, 'SELECT id, body, SHA2(body, 256) FROM big WHERE id = ?', [1]);
    }
    $link = null;
}

$link = connect([PDO::MYSQL_ATTR_LOCAL_INFILE => true]);
$load = "LOAD DATA LOCAL INFILE '" . ENV['files'] . "/rows.csv' INTO TABLE loaded FIELDS TERMINATED BY ','";
attempt('infile', fn() => $link->exec($load));
text('infile-warnings', $link, 'SHOW WARNINGS');
attempt('infile-missing', fn() => $link->exec(str_replace('rows.csv', 'none.csv', $load)));
attempt('infile-not-allowed', fn() => connect()->exec($load));
attempt('silent-errors', function () use ($link) {
    $link->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_SILENT);
    say('silent-errors', [$link->exec('SELEC'), $link->errorInfo(), $link->query('SELECT * FROM nowhere') === false, $link->errorInfo()]);
    $link->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
});
text('quote', $link, 'SELECT ' . $link->quote("it's \\ \0 \n 😀"));
$link->exec('SET SESSION wait_timeout = 1');
usleep(2500000);
attempt('expiry', fn() => @$link->query('SELECT 1')->fetch(PDO::FETCH_NUM));
attempt('expiry-again', fn() => @$link->query('SELECT 2')->fetch(PDO::FETCH_NUM));
text('expiry-reconnected', connect(), 'SELECT 3');
