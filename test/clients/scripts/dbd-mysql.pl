#!/usr/bin/perl
# Perl's DBD::mysql: emulated and server-side prepared statements. See ../README.md.
use strict;
use warnings;
use utf8;
use DBI;
use Digest::MD5 qw(md5_hex);
use Time::HiRes qw(sleep time);
binmode STDOUT, ':utf8';
$| = 1;

my %env = map { lc(substr $_, 7) => $ENV{$_} } grep { /^MATRIX_/ } keys %ENV;

sub show {
    my ($value) = @_;
    return 'NULL' unless defined $value;
    return '[' . join(', ', map { show($_) } @$value) . ']' if ref $value eq 'ARRAY';
    if (length $value > 400) { my $bytes = $value; utf8::encode($bytes) if utf8::is_utf8($bytes); return length($bytes) . ' bytes ' . md5_hex($bytes) }
    return 'x' . unpack('H*', $value) if !utf8::is_utf8($value) && $value =~ /[^\x20-\x7e\n\t]/;
    $value =~ s/\n/\\n/g;
    return "'$value'";
}

sub say_that { my ($name, @values) = @_; print "$name: ", join(' ', map { ref $_ ? show($_) : $_ } @values), "\n" }

# Runs one case; an error is a result like another.
sub attempt {
    my ($name, $work) = @_;
    my $value = eval { $work->() };
    if (my $error = $@) { $error =~ s/ at \S+ line \d+.*//s; say_that($name, 'error', [$DBI::err, $DBI::state, $error]) }
    elsif (ref $value eq 'ARRAY') { say_that($name, $value) }
}

sub login {
    my (%more) = @_;
    my %dsn = (database => $env{db}, host => $env{host}, port => $env{port}, %{ $more{dsn} || {} });
    my $dsn = join ';', map { "$_=$dsn{$_}" } grep { defined $dsn{$_} } sort keys %dsn;
    return DBI->connect("dbi:mysql:$dsn", $more{user} // $env{user}, $more{password} // $env{password},
        { RaiseError => 1, PrintError => 0, mysql_enable_utf8mb4 => 1, %{ $more{options} || {} } });
}

sub say_result {
    my ($name, $dbh, $sth) = @_;
    do {
        if ($sth->{NUM_OF_FIELDS}) {
            say_that($name, [map { $sth->{$_} } qw(NAME TYPE PRECISION SCALE NULLABLE)]);
            say_that($name, [map { $sth->{"mysql_$_"} } qw(table type type_name length max_length is_pri_key is_key is_num is_blob is_auto_increment)]);
            while (my $row = $sth->fetchrow_arrayref) { say_that($name, [@$row]) }
        }
        say_that($name, [$sth->rows, $sth->{mysql_insertid}, $sth->{mysql_warning_count}, $dbh->{mysql_info}, $dbh->{mysql_errno}]);
    } while ($sth->more_results);
}

sub query {
    my ($name, $dbh, $sql, @params) = @_;
    attempt($name, sub {
        my $sth = $dbh->prepare($sql);
        for my $at (0 .. $#params) { $sth->bind_param($at + 1, $params[$at][0], $params[$at][1]) }
        $sth->execute;
        say_result($name, $dbh, $sth);
        return;
    });
}

my %types = (i => DBI::SQL_BIGINT, d => DBI::SQL_DOUBLE, s => DBI::SQL_VARCHAR, x => DBI::SQL_VARBINARY, n => DBI::SQL_VARCHAR);

sub parameter {
    my ($kind, $value) = $_[0] =~ /^(\w):(.*)$/s;
    return [$kind eq 'n' ? undef : $kind eq 'x' ? pack('H*', $value) : $value, $types{$kind}];
}

sub cases {
    open my $file, '<:encoding(UTF-8)', $env{cases} or die $!;
    return map { chomp; my ($kind, $name, $sql, @params) = split /\t/; [$kind, $name, $sql // '', map { parameter($_) } @params] } grep { !/^#/ } <$file>;
}

my $who = 'SELECT DATABASE(), @@character_set_client, @@collation_connection, @@autocommit, @first';
my %logins = (
    'login-tcp' => {}, 'login-tls' => { dsn => { host => 'localhost.', mysql_ssl => 1, mysql_ssl_ca_file => $env{ca} } },
    'login-tls-ip' => { dsn => { mysql_ssl => 1, mysql_ssl_ca_file => $env{ca}, mysql_ssl_verify_server_cert => 1 } },
    'login-socket' => { dsn => { host => undef, port => undef, mysql_socket => $env{socket} } }, 'login-no-schema' => { dsn => { database => '' } },
    'login-wrong-password' => { password => 'wrong' }, 'login-no-password' => { password => '' }, 'login-unknown-user' => { user => 'matrix_nobody' },
    'login-unknown-schema' => { dsn => { database => 'no_such_schema' } }, 'login-denied-schema' => { dsn => { database => 'mysql' } },
    'login-compressed' => { dsn => { mysql_compression => 1 } }, 'login-init-command' => { dsn => { mysql_init_command => "SET \@first = 'yes'" } },
    'login-no-autocommit' => { options => { AutoCommit => 0 } }, 'login-latin1' => { options => { mysql_enable_utf8mb4 => 0 } },
    'login-found-rows' => { dsn => { mysql_client_found_rows => 0 } }, 'login-multi' => { dsn => { mysql_multi_statements => 1 } },
);
for my $name (sort keys %logins) {
    attempt($name, sub {
        my $dbh = login(%{ $logins{$name} });
        query($name, $dbh, $who);
        say_that($name, [$dbh->{mysql_serverinfo}, $dbh->{mysql_protoinfo}, (split / /, $dbh->{mysql_hostinfo})[-2, -1], (split /:/, $dbh->{mysql_stat})[0]]);
        query("$name-same", $dbh, "UPDATE items SET name = 'one' WHERE id = 1");
        query("$name-multi", $dbh, 'SELECT 1; SELECT 2');
        query("$name-big", $dbh, "SELECT REPEAT('long text ', 200000)") if $name =~ /compressed/;
        $dbh->disconnect;
        return;
    });
}

for my $server (0, 1) {
    my $prefix = $server ? 'server-' : '';
    my $dbh = login(options => { mysql_server_prepare => $server });
    for my $case (cases()) {
        my ($kind, $name, $sql, @params) = @$case;
        query("$prefix$name", $dbh, $sql, @params);
    }
    for my $procedure (qw(several_sets that_fails that_warns)) {
        query("${prefix}call-$procedure", $dbh, "CALL $procedure()");
        query("${prefix}call-$procedure-warnings", $dbh, 'SHOW WARNINGS');
    }
    query("${prefix}call-out", $dbh, q{SET @w = 'word'});
    query("${prefix}call-out", $dbh, 'CALL with_out(?, @d, @w)', [21, DBI::SQL_INTEGER]);
    query("${prefix}call-out", $dbh, 'SELECT @d, @w');
    attempt("${prefix}re-execute", sub {
        my $sth = $dbh->prepare('SELECT id, name FROM items WHERE id > ? ORDER BY id');
        for my $id (0, 2, '1', undef) { $sth->execute($id); say_that("${prefix}re-execute", $sth->fetchall_arrayref) }
        return;
    });
    attempt("${prefix}transaction", sub {
        $dbh->begin_work;
        query("${prefix}transaction", $dbh, 'INSERT INTO work (v) VALUES (?)', ['perl', DBI::SQL_VARCHAR]);
        $dbh->rollback;
        query("${prefix}transaction", $dbh, 'SELECT COUNT(*) FROM work WHERE v = ?', ['perl', DBI::SQL_VARCHAR]);
        $dbh->{AutoCommit} = 0;
        query("${prefix}transaction", $dbh, 'INSERT INTO work (v) VALUES (?)', ['perl', DBI::SQL_VARCHAR]);
        $dbh->commit;
        $dbh->{AutoCommit} = 1;
        query("${prefix}transaction", $dbh, 'SELECT COUNT(*) FROM work WHERE v = ?', ['perl', DBI::SQL_VARCHAR]);
        return;
    });
    for my $size (1 << 20, 17 << 20) {
        my $body = '0123456789abcdef' x ($size >> 4);
        query("${prefix}big", $dbh, 'REPLACE INTO big VALUES (?, ?)', [1, DBI::SQL_INTEGER], [$body, DBI::SQL_BLOB]);
        query("${prefix}big", $dbh, 'SELECT LENGTH(body), SHA2(body, 256) FROM big WHERE id = 1');
    }
    # Directly too, it waits for ever for what MariaDB has sent already.
    attempt("${prefix}use-result", sub {
        my $sth = $dbh->prepare('SELECT n, label FROM numbers ORDER BY n', { mysql_use_result => 1 });
        $sth->execute;
        say_that("${prefix}use-result", [$sth->fetchrow_array]);
        $sth->finish;
        query("${prefix}use-result-usable", $dbh, 'SELECT 1');
        return;
    }) unless $server && $env{engine} eq 'mariadb';
    say_that("${prefix}ping", $dbh->ping);
    attempt("${prefix}tables", sub { [sort $dbh->tables(undef, $env{db}, '%', 'TABLE')] });
    attempt("${prefix}column-info", sub { $dbh->column_info(undef, $env{db}, 'items', '%')->fetchall_arrayref([3, 5, 6, 10, 16]) });
    attempt("${prefix}primary-key", sub { [$dbh->primary_key(undef, $env{db}, 'items')] });
    $dbh->disconnect;
}

my $dbh = login(dsn => { mysql_local_infile => 1 });
my $load = "LOAD DATA LOCAL INFILE '$env{files}/rows.csv' INTO TABLE loaded FIELDS TERMINATED BY ','";
query('infile', $dbh, $load);
query('infile-warnings', $dbh, 'SHOW WARNINGS');
query('infile-rows', $dbh, 'SELECT * FROM loaded ORDER BY id');
query('infile-missing', $dbh, $load =~ s/rows/none/r);
query('infile-big', $dbh, $load =~ s/rows/big/r =~ s/ INTO/ REPLACE INTO/r);
query('infile-usable', $dbh, 'SELECT COUNT(*) FROM loaded');
query('infile-not-allowed', login(dsn => { mysql_local_infile => 0 }), $load);

for my $how ('QUERY', 'CONNECTION') {
    my $name = 'kill-' . lc $how;
    my ($victim, $killer) = (login(), login());
    my ($shown) = $victim->selectrow_array('SELECT CONNECTION_ID()');
    say_that($name, 'ids agree', $shown == $victim->{mysql_thread_id} ? 'yes' : 'no');
    my $sth = $victim->prepare('SELECT SLEEP(4) AS slept', { async => 1 });
    $sth->execute;
    sleep 0.4;
    my $began = time;
    query($name, $killer, "KILL $how $victim->{mysql_thread_id}");
    attempt("$name-victim", sub { $sth->mysql_async_result; [$sth->fetchrow_array] });
    say_that($name, 'in time', time - $began < 3 ? 'yes' : 'no');
    query("$name-afterwards", $victim, 'SELECT 1');
}
$dbh = login(dsn => { mysql_auto_reconnect => 0 });
query('expiry', $dbh, 'SET SESSION wait_timeout = 1');
sleep 2.5;
query('expiry', $dbh, 'SELECT 1');
$dbh = login();
$dbh->{mysql_auto_reconnect} = 1;
query('reconnect', $dbh, 'SET SESSION wait_timeout = 1');
sleep 2.5;
query('reconnect', $dbh, 'SELECT 1');
query('reconnect', $dbh, 'SELECT @@session.wait_timeout > 1');
