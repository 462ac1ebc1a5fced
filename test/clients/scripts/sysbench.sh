#!/bin/bash
# sysbench with and without server-side prepared statements: a fixed number of events of its own workloads, without errors; and what
# is in the table afterwards. The random numbers are the same in every run.
set -u
for mode in disable auto; do
  options=(--db-driver=mysql --mysql-host="$MATRIX_HOST" --mysql-port="$MATRIX_PORT" --mysql-user="$MATRIX_USER" --mysql-password="$MATRIX_PASSWORD"
    --mysql-db="$MATRIX_DB" --db-ps-mode="$mode" --tables=2 --table-size=1000 --rand-seed=7 --events=300 --time=0)
  run() {
    local name=$1
    shift
    "$SYSBENCH" "$@" 2>&1 | grep -E 'read:|write:|other:|total:|transactions:|queries:|ignored errors:|reconnects:|FATAL|ALERT|Creating|Inserting|Dropping|error' \
      | sed -e 's/ *(.*per sec.*)//' -e "s/^ */$mode-$name: /"
  }
  run prepare "$SYSBENCH_SHARE/oltp_read_write.lua" "${options[@]}" --threads=1 prepare
  for workload in oltp_point_select oltp_read_only oltp_read_write oltp_write_only oltp_update_index oltp_update_non_index oltp_insert oltp_delete select_random_ranges; do
    # One thread makes the table's end state certain; with several the counts stay certain where nothing can be repeated.
    run "$workload" "$SYSBENCH_SHARE/$workload.lua" "${options[@]}" --threads=1 run
  done
  run read-only-threads "$SYSBENCH_SHARE/oltp_read_only.lua" "${options[@]}" --threads=16 run
  run point-select-threads "$SYSBENCH_SHARE/oltp_point_select.lua" "${options[@]}" --threads=16 run
  run without-transactions "$SYSBENCH_SHARE/oltp_read_write.lua" "${options[@]}" --threads=1 --skip-trx=on run
  run reconnecting "$SYSBENCH_SHARE/oltp_point_select.lua" "${options[@]}" --threads=1 --reconnect=10 run
  run cleanup "$SYSBENCH_SHARE/oltp_read_write.lua" "${options[@]}" --threads=1 cleanup
done
exit 0
