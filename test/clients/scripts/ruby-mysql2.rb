# Ruby's mysql2 upon MariaDB Connector/C: text and binary protocol. See ../README.md.
require 'mysql2'
require 'digest'
require 'date'
require 'bigdecimal'
$stdout.sync = true

ENVIRONMENT = ENV.select { |name, _| name.start_with?('MATRIX_') }.to_h { |name, value| [name[7..].downcase.to_sym, value] }

def show(value)
  case value
  when String then value.bytesize > 400 ? "#{value.bytesize} bytes #{Digest::MD5.hexdigest(value)}" : "#{value.encoding} #{value.dump}"
  when Array then "[#{value.map { |item| show(item) }.join(', ')}]"
  when Hash then "{#{value.map { |key, item| "#{key}: #{show(item)}" }.join(', ')}}"
  when BigDecimal then "BigDecimal(#{value.to_s('F')})"
  when Time then "Time(#{value.utc.strftime('%F %T.%6N')})"
  else value.inspect
  end
end

def say(name, *values)
  puts "#{name}: #{values.map { |value| value.is_a?(String) ? value : show(value) }.join(' ')}".gsub("\n", '\n')
end

# Runs one case; an error is a result like another.
def attempt(name)
  value = yield
  say(name, value) unless value.nil?
rescue Mysql2::Error => e
  say(name, 'error', [e.class.name, e.error_number, e.sql_state, e.message])
rescue StandardError => e
  say(name, 'error', [e.class.name, e.message])
end

def login(**more)
  e = ENVIRONMENT
  Mysql2::Client.new(**{ host: e[:host], port: e[:port].to_i, username: e[:user], password: e[:password], database: e[:db],
                         encoding: 'utf8mb4', cast_booleans: false, database_timezone: :utc, reconnect: false, as: :array }.merge(more).compact)
end

def say_result(name, client, result)
  if result
    say(name, result.fields, result.respond_to?(:field_types) ? result.field_types : nil)
    result.each { |row| say(name, row) }
  end
  say(name, { affected: client.affected_rows, id: client.last_id, warnings: client.warning_count, info: client.query_info })
end

def text(name, client, sql, **options)
  attempt(name) do
    result = client.query(sql, **options)
    say_result(name, client, result)
    while client.next_result
      say_result(name, client, client.store_result)
    end
  end
  attempt("#{name}-drain") { client.abandon_results! && nil }
end

def prepared(name, client, sql, params = [])
  attempt(name) do
    statement = client.prepare(sql)
    say(name, [statement.param_count, statement.field_count, statement.fields])
    result = statement.execute(*params, as: :array)
    result&.each { |row| say(name, row) }
    say(name, [statement.affected_rows, statement.last_id])
    statement.close
    nil
  end
  attempt("#{name}-drain") { client.abandon_results! && nil }
end

def parameter(text)
  kind, value = text[0], text[2..]
  { 'i' => -> { value.to_i }, 'd' => -> { value.to_f }, 's' => -> { value }, 'x' => -> { [value].pack('H*') }, 'n' => -> {} }[kind].call
end

CASES = File.readlines(ENVIRONMENT[:cases], encoding: 'utf-8', chomp: true).reject { |line| line.start_with?('#') }.map do |line|
  kind, name, sql, *params = line.split("\t", -1)
  [kind, name, sql, params.map { |param| parameter(param) }]
end

WHO = 'SELECT DATABASE(), @@character_set_client, @@collation_connection, @@autocommit, @first'
{
  'login-tcp' => {}, 'login-tls' => { host: '127.0.0.1', sslca: ENVIRONMENT[:ca], sslverify: true }, 'login-socket' => { host: nil, port: nil, socket: ENVIRONMENT[:socket] },
  'login-no-schema' => { database: nil }, 'login-wrong-password' => { password: 'wrong' }, 'login-no-password' => { password: nil },
  'login-unknown-user' => { username: 'matrix_nobody' }, 'login-unknown-schema' => { database: 'no_such_schema' },
  'login-denied-schema' => { database: 'mysql' }, 'login-latin1' => { encoding: 'latin1' }, 'login-sjis' => { encoding: 'sjis' },
  'login-init-command' => { init_command: "SET @first = 'yes'" }, 'login-compressed' => { flags: ['COMPRESS'] },
  'login-found-rows' => { flags: ['FOUND_ROWS'] }, 'login-not-found-rows' => { flags: ['-FOUND_ROWS'] }, 'login-ignore-space' => { flags: ['IGNORE_SPACE'] },
  'login-interactive' => { flags: ['INTERACTIVE'] }
}.each do |name, options|
  attempt(name) do
    client = login(**options)
    text(name, client, WHO)
    text("#{name}-same", client, "UPDATE items SET name = 'one' WHERE id = 1")
    text("#{name}-space", client, 'SELECT COUNT (*) FROM items')
    text("#{name}-mode", client, 'SELECT @@sql_mode, @@wait_timeout = @@interactive_timeout')
    text("#{name}-big", client, "SELECT REPEAT('long text ', 200000)") if name == 'login-compressed'
    say(name, client.server_info[:version], client.ssl_cipher.nil? ? 'no TLS' : 'TLS')
    client.close
  end
end

client = login
CASES.each { |kind, name, sql, params| kind == 'text' ? text(name, client, sql) : prepared(name, client, sql, params) }
client.close
client = login
CASES.each { |kind, name, sql, _| prepared("binary-#{name}", client, sql) if kind == 'text' }
client.close

client = login(flags: ['MULTI_STATEMENTS'])
{ 'multi' => "SELECT 1; SELECT 'two', 3; INSERT INTO work (v) VALUES ('m'); UPDATE work SET v = 'n' WHERE v = 'm'",
  'multi-error' => 'SELECT 1; SELECT * FROM nowhere; SELECT 2',
  'multi-transaction' => "BEGIN; INSERT INTO work (v) VALUES ('mt'); SELECT COUNT(*) FROM work WHERE v = 'mt'; ROLLBACK" }.each { |name, sql| text(name, client, sql) }
attempt('set-option') { client.set_server_option(Mysql2::Client::OPTION_MULTI_STATEMENTS_OFF) }
text('multi-refused', client, 'SELECT 1; SELECT 2')
attempt('set-option') { client.set_server_option(Mysql2::Client::OPTION_MULTI_STATEMENTS_ON) }
text('multi-again', client, 'SELECT 1; SELECT 2')
%w[several_sets that_fails that_warns].each do |procedure|
  text("call-#{procedure}", client, "CALL #{procedure}()")
  text("call-#{procedure}-warnings", client, 'SHOW WARNINGS')
end
text('call-out', client, "SET @w = 'word'; CALL with_out(21, @d, @w); SELECT @d, @w")
client.close

client = login
attempt('re-execute') do
  statement = client.prepare('SELECT id, name FROM items WHERE id > ? ORDER BY id')
  [0, 2, '1', nil, 2.5].each { |id| say('re-execute', statement.execute(id, as: :array).to_a) }
  statement.close
  nil
end
attempt('values') do
  statement = client.prepare('SELECT ? a, ? b, ? c, ? d, HEX(?) e, ? f, ? g')
  say('values', statement.execute(12, -1.5, 'Grüße 😀', BigDecimal('12.345'), "\x00\xff".b, Time.utc(2024, 1, 2, 3, 4, 5.678), Date.new(2024, 2, 29), as: :array).to_a)
  # Left to the garbage collector it would be closed in the middle of the next result, and take rows of that with it.
  statement.close
  nil
end
attempt('stream') do
  sum = 0
  client.query('SELECT n FROM numbers ORDER BY n', stream: true, cache_rows: false).each { |row| sum += row[0] }
  sum
end
text('stream-usable', client, 'SELECT 1')
[1 << 20, (1 << 24) - 40, 17 << 20].each do |size|
  body = '0123456789abcdef' * (size >> 4)
  text('big', client, "REPLACE INTO big VALUES (1, '#{body}')")
  prepared('big-prepared', client, 'REPLACE INTO big VALUES (?, ?)', [2, body])
  text('big-fetch', client, 'SELECT id, body, SHA2(body, 256) FROM big ORDER BY id')
  prepared('big-fetch-prepared', client, 'SELECT id, body, id FROM big WHERE id = ?', [2])
end
attempt('ping') { client.ping.to_s }
attempt('select-db') { client.select_db('information_schema') }
text('select-db', client, 'SELECT DATABASE()')
attempt('select-db-unknown') { client.select_db('no_such_schema') }
client.close

client = login(local_infile: true)
load = "LOAD DATA LOCAL INFILE '#{ENVIRONMENT[:files]}/rows.csv' INTO TABLE loaded FIELDS TERMINATED BY ','"
text('infile', client, load)
text('infile-warnings', client, 'SHOW WARNINGS')
text('infile-rows', client, 'SELECT * FROM loaded ORDER BY id')
text('infile-missing', client, load.sub('rows', 'none'))
text('infile-big', client, load.sub('rows', 'big').sub(' INTO', ' REPLACE INTO'))
text('infile-usable', client, 'SELECT COUNT(*) FROM loaded')
client.close
text('infile-not-allowed', login(local_infile: false), load)

%w[latin1 utf8mb4 sjis gbk cp1251].each do |charset|
  attempt("charset-#{charset}") do
    client = login(encoding: charset)
    word = { 'latin1' => 'Grüße', 'utf8mb4' => '😀 世界', 'sjis' => 'テスト', 'gbk' => '世界', 'cp1251' => 'Привет' }[charset]
    escaped = client.escape(word.encode(client.encoding))
    text("charset-#{charset}", client, "SELECT '#{escaped}', HEX('#{escaped}'), CHARSET('#{escaped}')")
    text("charset-#{charset}", client, "INSERT INTO work (v) VALUES ('#{escaped}')")
    text("charset-#{charset}", client, 'SELECT v, HEX(v) FROM work ORDER BY id DESC LIMIT 1')
    client.close
  end
end

%w[QUERY CONNECTION].each do |how|
  name = "kill-#{how.downcase}"
  victim = login
  killer = login
  say(name, 'ids agree', victim.thread_id == victim.query('SELECT CONNECTION_ID()').first[0])
  thread = Thread.new { text("#{name}-victim", victim, 'SELECT SLEEP(4) AS slept') }
  sleep 0.4
  began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  text(name, killer, "KILL #{how} #{victim.thread_id}")
  thread.join
  say(name, 'in time', Process.clock_gettime(Process::CLOCK_MONOTONIC) - began < 3)
  text("#{name}-afterwards", victim, 'SELECT 1')
end
client = login(read_timeout: 1)
text('read-timeout', client, 'SELECT SLEEP(2)')
client = login
text('expiry', client, 'SET SESSION wait_timeout = 1')
sleep 2.5
text('expiry', client, 'SELECT 1')
text('expiry-again', client, 'SELECT 1')
client = login(reconnect: true)
text('reconnect', client, 'SET SESSION wait_timeout = 1')
sleep 2.5
text('reconnect', client, 'SELECT 1')
text('reconnect', client, 'SELECT @@session.wait_timeout > 1')
