/** A difference between the server and Sluice that is there for a reason. All patterns have to fit. */
export interface Known {
  readonly reason: string
  /** Name of the case. */
  readonly name: RegExp
  readonly client?: RegExp
  readonly engine?: RegExp
  readonly account?: RegExp
  /** What the case prints, without its name. */
  readonly direct?: RegExp
  readonly through?: RegExp
}

export const KNOWN: readonly Known[] = [
  {
    reason: 'the server drops a TLS connection that it ends, Sluice closes it as TLS wants it',
    client: /^mariadb$/,
    name: /^kill-connection-victim$/,
    direct: /unexpected eof while reading/,
    through: /Lost connection/,
  },
  {
    reason:
      'MariaDB resets a connection after wait_timeout, Sluice closes it; clients notice a write too late or in time',
    engine: /^MariaDB$/,
    name: /^expiry/,
    direct: /2006|gone away|reset by peer/i,
    through: /2013|Lost connection|closed by server|reset by peer/i,
  },
  {
    reason: "the status variables tell of the connection between Sluice and the server, which is not the client's",
    name: /./,
    direct: /Compression|Ssl_/i,
    through: /Compression|Ssl_/i,
  },
  {
    reason: 'CONNECTION_ID() is that of the connection to the primary; KILL takes it as well as the id of the greeting',
    name: /./,
    direct: /ids agree.*(true|yes)/i,
    through: /ids agree.*(false|no)/i,
  },
  {
    reason: 'a proxy does not let its clients end the primary',
    engine: /^MariaDB$/,
    name: /^shutdown$/,
    direct: /1227/,
    through: /1047/,
  },
  {
    reason:
      'an EXECUTE of the last statement is refused by Sluice where its PREPARE has failed; the server keeps the error of that',
    engine: /^MariaDB$/,
    client: /^mariadb-connector-nodejs$/,
    name: /^binary-error-show$/,
    direct: /1243/,
    through: /1064/,
  },
  {
    reason:
      'to MariaDB the marker, a SELECT without a table, leaves older warnings as they are; here it has run on a replica',
    engine: /^MariaDB$/,
    client: /^(mysql|mariadb)$/,
    name: /(^|-)(show-warnings-limit|warning-count|warning-count-variable)$/,
    direct: /1265|[1-9]/,
  },
]
