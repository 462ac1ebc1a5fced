#!/bin/bash
# The command lines `mysql` and `mariadb`: MYSQL is the command, everything else in MATRIX_*. See ../README.md.
set -u
plugins=(--plugin-dir="$CLIENT_PLUGINS")
login=(--no-defaults "${plugins[@]}" --user="$MATRIX_USER" --default-character-set=utf8mb4)
tcp=(--protocol=tcp --host="$MATRIX_HOST" --port="$MATRIX_PORT")
socket=(--protocol=socket --socket="$MATRIX_SOCKET")
export MYSQL_PWD="$MATRIX_PASSWORD" MYSQL_HISTFILE=/dev/null MARIADB_HISTFILE=/dev/null
is_mariadb=$($MYSQL --no-defaults --version | grep -c MariaDB)
if [ "$is_mariadb" = 1 ]; then
  tls=(--ssl --ssl-ca="$MATRIX_CA" --ssl-verify-server-cert) plain=(--skip-ssl)
else
  tls=(--ssl-mode=VERIFY_IDENTITY --ssl-ca="$MATRIX_CA") plain=(--ssl-mode=DISABLED --get-server-public-key)
fi

# name [arguments...]: runs the client with standard input and prints all it says, every line with the name.
run() {
  local name=$1
  shift
  { timeout 60 $MYSQL "${login[@]}" "$@" 2>&1; echo "status $?"; } | sed -e 's/ ([0-9.]* sec)//' -e "s/^/$name: /"
}
main() { local name=$1; shift; run "$name" "${tcp[@]}" "$@" "$MATRIX_DB"; }

who='SELECT DATABASE(), @@character_set_client, @@collation_connection, @@autocommit'
run login-tcp "${tcp[@]}" -e "$who" "$MATRIX_DB"
run login-plain "${tcp[@]}" "${plain[@]}" -e "$who" "$MATRIX_DB"
run login-tls --protocol=tcp --host=localhost --port="$MATRIX_PORT" "${tls[@]}" -e "$who" "$MATRIX_DB"
run login-socket "${socket[@]}" -e "$who" "$MATRIX_DB"
run login-no-schema "${tcp[@]}" -e "$who"
run login-unknown-schema "${tcp[@]}" -e "$who" no_such_schema
run login-denied-schema "${tcp[@]}" -e "$who" mysql
MYSQL_PWD=wrong run login-wrong-password "${tcp[@]}" -e "$who"
MYSQL_PWD= run login-no-password "${tcp[@]}" -e "$who"
run login-unknown-user "${tcp[@]}" --user=matrix_nobody -e "$who"
run login-latin1 "${tcp[@]}" --default-character-set=latin1 -e "$who" "$MATRIX_DB"
run login-compressed "${tcp[@]}" --compress -e "$who; SHOW STATUS LIKE 'Compression'" "$MATRIX_DB"
if [ "$is_mariadb" = 0 ]; then
  run login-zlib "${tcp[@]}" --compression-algorithms=zlib -e "$who; SHOW STATUS LIKE 'Compression%'" "$MATRIX_DB"
  run login-zstd "${tcp[@]}" --compression-algorithms=zstd -e "$who; SHOW STATUS LIKE 'Compression%'" "$MATRIX_DB"
  run login-zstd-big "${tcp[@]}" --compression-algorithms=zstd --skip-column-names -e "SELECT REPEAT('0123456789', 1800000)" \
    | md5sum | sed 's/^/login-zstd-big: /'
fi
run login-init-command "${tcp[@]}" --init-command="SET @first = 'yes'" -e 'SELECT @first'
run login-connect-attributes "${tcp[@]}" --connect-timeout=5 -e 'SELECT 1'

# All text cases, each with its name, in one session: as a table with types, errors do not end it.
file=$MATRIX_WORK/cases.sql
grep '^text' "$MATRIX_CASES" | while IFS=$'\t' read -r _ name sql; do
  printf "SELECT '---- %s' AS marker;\n%s;\n" "$name" "${sql%;}"
done >"$file"
by_marker() {
  awk -v prefix="$1" '
    /---- / { match($0, /---- [a-z0-9-]+/); marker = prefix substr($0, RSTART + 5, RLENGTH - 5) }
    { print (marker == "" ? prefix "before" : marker) ": " $0 }' | sed -e 's/ ([0-9.]* sec)//' -e 's/at line [0-9]*/at line N/'
}
session() { local prefix=$1; shift; timeout 120 $MYSQL "${login[@]}" "${tcp[@]}" --force "$@" "$MATRIX_DB" <"$file" 2>&1 | by_marker "$prefix"; }
session '' --table --column-type-info --show-warnings -vvv --unbuffered
if [ -z "$MATRIX_QUICK" ]; then
  session 'quick-' --batch --quick --show-warnings
  session 'xml-' --xml
  session 'comments-' --vertical --comments --skip-reconnect
  session 'compressed-' --batch --compress
fi

main multi -e "SELECT 1; SELECT 'two', 3; INSERT INTO work (v) VALUES ('m'); UPDATE work SET v = 'n' WHERE v = 'm'" -vvv
main multi-error -e 'SELECT 1; SELECT * FROM nowhere; SELECT 2' -vvv
main multi-force --force -e 'SELECT 1; SELECT * FROM nowhere; SELECT 2' -vvv
main call -e 'CALL several_sets(); CALL that_warns(); SHOW WARNINGS; CALL that_fails()' -vvv --table
main call-out -e "SET @w = 'word'; CALL with_out(21, @d, @w); SELECT @d, @w" -vvv --table
main delimiter --table -vvv <<'END'
DELIMITER //
CREATE PROCEDURE from_cli(IN n INT) BEGIN SELECT n; SELECT n * 2; END //
CALL from_cli(4)//
DROP PROCEDURE from_cli//
DELIMITER ;
SELECT 'again';
END
main source --table <<<"source $MATRIX_WORK/sourced.sql"
echo "CREATE TEMPORARY TABLE t1 (a INT); INSERT INTO t1 VALUES (1), (2); SELECT SUM(a) FROM t1;" >"$MATRIX_WORK/sourced.sql"
main source-now --table <<<"source $MATRIX_WORK/sourced.sql"
main use --table <<<"use information_schema
SELECT DATABASE();
use no_such_schema
SELECT DATABASE();"
main reconnect --table --reconnect <<<"SELECT 1; connect $MATRIX_DB 
SELECT DATABASE();"
main charset --table <<<"charset latin1
SELECT @@character_set_client;"
main reset --table <<<"SET @kept = 1;
resetconnection
SELECT @kept;"
main infile --local-infile=1 -vvv --show-warnings --table -e "
  LOAD DATA LOCAL INFILE '$MATRIX_FILES/rows.csv' INTO TABLE loaded FIELDS TERMINATED BY ',';
  SHOW WARNINGS; SELECT * FROM loaded ORDER BY id;
  LOAD DATA LOCAL INFILE '$MATRIX_FILES/empty.csv' INTO TABLE loaded;
  LOAD DATA LOCAL INFILE '$MATRIX_FILES/big.csv' REPLACE INTO TABLE loaded FIELDS TERMINATED BY ',';
  SELECT COUNT(*), MAX(name) FROM loaded"
main infile-missing --local-infile=1 -e "LOAD DATA LOCAL INFILE '$MATRIX_FILES/none.csv' INTO TABLE loaded; SELECT 1"
main infile-refused --local-infile=0 -e "LOAD DATA LOCAL INFILE '$MATRIX_FILES/rows.csv' INTO TABLE loaded"
main safe-updates --safe-updates --table -e 'SELECT @@sql_safe_updates, @@sql_select_limit, @@max_join_size; DELETE FROM work'
main binary-hex --binary-as-hex --table -e 'SELECT c_binary, c_varbinary, c_point, c_bit FROM all_types ORDER BY id'
main html --html -e 'SELECT id, name FROM items'
main sigint-safe --table -e "SELECT SLEEP(0.2)"
main status-command <<<'status' | grep -E 'Current (database|user)|charac|Protocol version|Server version|Connection:' | sed 's/^\(.*\)$/\1/'
main system-variables -e "SELECT @@version, @@version_comment, @@max_allowed_packet, @@lower_case_table_names, @@sql_mode" --table
[ -n "$MATRIX_QUICK" ] && exit 0
for size in 1000000 16777100 20000000; do
  main "big-$size" --max-allowed-packet=256M --skip-column-names -e "SELECT REPEAT('x', $size)" | md5sum | sed "s/^/big-$size: /"
  { printf "REPLACE INTO big VALUES (1, '"; head -c "$size" /dev/zero | tr '\0' 'y'; printf "');\nSELECT LENGTH(body), SHA2(body, 256) FROM big;\n"; } >"$MATRIX_WORK/big.sql"
  main "big-store-$size" --max-allowed-packet=256M --table <"$MATRIX_WORK/big.sql"
done
main many-rows --quick -e 'SELECT a.n, b.label FROM numbers a JOIN numbers b ON b.n < 20 ORDER BY a.n, b.n' | md5sum | sed 's/^/many-rows: /'

# A statement that is interrupted as with Ctrl-C: the client opens a second connection and kills it.
interrupt() {
  local name=$1
  shift
  { timeout --preserve-status -s INT 1 $MYSQL "${login[@]}" "${tcp[@]}" "$@" -e 'SELECT SLEEP(6) AS slept; SELECT 2' "$MATRIX_DB" 2>&1; echo "status $?"; } \
    | sed -e "s/^/$name: /"
}
interrupt interrupted --table
interrupt interrupted-force --table --force

kill_by() {
  local name=$1 how=$2
  { $MYSQL "${login[@]}" "${tcp[@]}" --unbuffered --skip-column-names -e 'SELECT CONNECTION_ID(); SELECT SLEEP(5); SELECT 3' "$MATRIX_DB" 2>&1
    echo "status $?"; } >"$MATRIX_WORK/victim" &
  sleep 0.7
  main "$name" -e "KILL $how $(head -1 "$MATRIX_WORK/victim")"
  wait
  tail -n +2 "$MATRIX_WORK/victim" | sed "s/^/$name-victim: /"
}
kill_by kill-query QUERY
kill_by kill-connection CONNECTION
expired() { { echo 'SET SESSION wait_timeout = 1;'; sleep 2.5; echo 'SELECT 1;'; echo 'SELECT 2;'; } | main "$@"; }
expired expiry --skip-reconnect --force --unbuffered
expired expiry-reconnect --reconnect --force --unbuffered
exit 0
