#!/bin/bash
# Runs once, when the primary's volume is empty: the accounts and the schema. Replicas get them by replication.
set -eo pipefail

# A text as SQL wants it between single quotes.
quote() {
  local text=${1//\\/\\\\}
  printf '%s' "${text//\'/\'\'}"
}

MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --user=root <<SQL
CREATE DATABASE app;

CREATE USER replication@'%' IDENTIFIED BY '$(quote "$REPLICATION_PASSWORD")';
GRANT REPLICATION SLAVE ON *.* TO replication@'%';

CREATE USER monitor@'%' IDENTIFIED BY '$(quote "$MONITOR_PASSWORD")';
GRANT REPLICATION CLIENT, SHOW_ROUTINE ON *.* TO monitor@'%';
GRANT SELECT ON performance_schema.* TO monitor@'%';

CREATE USER app@'%' IDENTIFIED BY '$(quote "$APP_PASSWORD")';
GRANT ALL ON app.* TO app@'%';
SQL
