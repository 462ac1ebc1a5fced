#!/bin/bash
# Runs once, when a replica's volume is empty: it follows the primary from the first transaction on. The server keeps
# that, and starts replication itself at every start.
set -eo pipefail

# A text as SQL wants it between single quotes.
quote() {
  local text=${1//\\/\\\\}
  printf '%s' "${text//\'/\'\'}"
}

# The image's own initialization must leave no transaction that the primary does not have.
MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --user=root <<SQL
RESET BINARY LOGS AND GTIDS;
CHANGE REPLICATION SOURCE TO
  SOURCE_HOST = 'primary', SOURCE_USER = 'replication', SOURCE_PASSWORD = '$(quote "$REPLICATION_PASSWORD")',
  SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1,
  SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 1000000, SOURCE_HEARTBEAT_PERIOD = 2;
-- From the next start on: the image's entrypoint still has to end its own work.
SET PERSIST_ONLY read_only = ON;
SET PERSIST_ONLY super_read_only = ON;
SQL
