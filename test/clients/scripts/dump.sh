#!/bin/bash
# mysqldump and mariadb-dump: dumps a schema with routines, triggers, views and blobs, restores it and dumps again.
set -u
login=(--no-defaults --plugin-dir="$CLIENT_PLUGINS" --user="$MATRIX_USER" --protocol=tcp --host="$MATRIX_HOST" --port="$MATRIX_PORT")
export MYSQL_PWD="$MATRIX_PASSWORD"
is_mariadb=$($MYSQL --no-defaults --version | grep -c MariaDB)
gtid=()
[ "$is_mariadb" = 1 ] || gtid=(--set-gtid-purged=OFF)
$MYSQL "${login[@]}" --max-allowed-packet=64M "$MATRIX_DB" <<'END'
INSERT INTO big VALUES (1, REPEAT(X'00FF0D0A27', 300000)), (2, NULL), (3, '');
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO DELETE FROM work WHERE id < 0;
CREATE VIEW over_view AS SELECT item, loud FROM items_view WHERE item > 1;
END

# name [arguments]: a dump without its times, with a checksum of every statement that is long.
dump() {
  local name=$1
  shift
  { timeout 120 $MYSQLDUMP "${login[@]}" "${gtid[@]}" --max-allowed-packet=64M --skip-dump-date "$@" 2>&1; echo "status $?"; } >"$MATRIX_WORK/$name.sql"
  sed -i -E -e "s/gtid_slave_pos='[^']*'/gtid_slave_pos='<gtids>'/" \
    -e 's/(Create_time|Update_time|Check_time|Created)="[^"]*"/\1="<time>"/g' "$MATRIX_WORK/$name.sql"
  awk '{ if (length($0) > 300) { cmd = "md5sum"; print $0 | cmd; close(cmd); print length($0) " characters" } else print }' "$MATRIX_WORK/$name.sql" \
    | sed -e "s/^/$name: /"
}
everything=(--single-transaction --routines --triggers --events --hex-blob)
dump whole "${everything[@]}" "$MATRIX_DB"
if [ -z "$MATRIX_QUICK" ]; then
  dump with-binary --single-transaction --skip-hex-blob "$MATRIX_DB" big all_types
  dump with-lock --lock-tables "$MATRIX_DB" items child
  dump databases "${everything[@]}" --databases "$MATRIX_DB"
  dump no-data --no-data "$MATRIX_DB"
  dump skip-extended --skip-extended-insert --complete-insert --order-by-primary "$MATRIX_DB" items numbers
  dump where --where='id < 3' "$MATRIX_DB" items
  dump xml --xml "$MATRIX_DB" items
  dump quick-compressed --compress --single-transaction "$MATRIX_DB" big numbers
  dump replace --replace --skip-opt "$MATRIX_DB" items
  dump tab-like --compact "$MATRIX_DB" all_types
  dump unknown-table "$MATRIX_DB" nowhere
  dump unknown-schema no_such_schema
  dump master-data --single-transaction --"$([ "$is_mariadb" = 1 ] && echo master-data || echo source-data)"=2 "$MATRIX_DB" child \
    | sed -E -e "s/(LOG_FILE=')[^']*/\1<file>/" -e 's/(LOG_POS=)[0-9]+/\1<position>/'
  dump flush --flush-logs --single-transaction "$MATRIX_DB" child
fi

{ $MYSQL "${login[@]}" -e "CREATE DATABASE ${MATRIX_DB}_restored" 2>&1; echo "status $?"; } | sed 's/^/restore: /'
grep -v '^status [0-9]' "$MATRIX_WORK/whole.sql" >"$MATRIX_WORK/restore.sql"
{ $MYSQL "${login[@]}" --max-allowed-packet=64M "${MATRIX_DB}_restored" <"$MATRIX_WORK/restore.sql" 2>&1; echo "status $?"; } | sed 's/^/restore: /'
dump restored "${everything[@]}" "${MATRIX_DB}_restored"
cmp <(grep -v '^-- ' "$MATRIX_WORK/whole.sql") <(grep -v '^-- ' "$MATRIX_WORK/restored.sql") 2>&1 | sed 's/^/restored-is-equal: /'
echo "restored-is-equal: $?"
$MYSQL "${login[@]}" -e "DROP DATABASE ${MATRIX_DB}_restored" 2>&1 | sed 's/^/restore: /'
exit 0
