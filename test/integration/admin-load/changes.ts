import type { Random } from '../../fuzz/random.js'

/** What one change does at the admin port, in order. */
export interface Change {
  readonly statements: readonly Statement[]
  /** The section that is loaded at the end; null: nothing is loaded. */
  readonly load: Section | null
  /** Whether that LOAD has to be refused. What it was refused for is taken back by `undo`. */
  readonly refused?: boolean
  readonly undo?: readonly string[]
}

/** `error`: the number that it has to be refused with. */
export type Statement = string | { readonly sql: string; readonly error: number }

export const SECTIONS = ['MYSQL SERVERS', 'MYSQL USERS', 'MYSQL QUERY RULES', 'MYSQL VARIABLES'] as const
export type Section = (typeof SECTIONS)[number]

export interface Place {
  /** The clients' account, known to the servers as well. */
  readonly user: string
  readonly password: string
  readonly primary: number
  readonly replicas: readonly number[]
}

const OTHER_NAME = 'localhost'
const NAME = '127.0.0.1'

/**
 * Makes random changes. All valid ones leave the primary able to serve: a server may be given another weight, drained, taken
 * offline, moved, added under a second name, removed, but reads always find one somewhere, if only the primary.
 */
export class Changes {
  readonly #random: Random
  readonly #place: Place
  #primaryDrains = false
  /** Servers judge the clients' account: a login, unlike a statement, does not wait for one. */
  #rowless = false

  constructor(random: Random, place: Place) {
    this.#random = random
    this.#place = place
  }

  next(): Change {
    if (this.#primaryDrains) return this.#primaryBack()
    const kind = this.#random.below(100)
    if (kind < 38) return this.#servers()
    if (kind < 42) return this.#offlineHard()
    if (kind < 44 && !this.#rowless) return this.#drainPrimary()
    if (kind < 54) return this.#users()
    if (kind < 64) return this.#rules()
    if (kind < 76) return this.#variables()
    return this.#invalid()
  }

  /** Statements after which everything is as it was configured. */
  restore(): readonly string[] {
    const { primary, replicas } = this.#place
    const rows = [[0, primary], ...replicas.map((port) => [1, port])].map(
      ([group, port]) => `(${group}, '${NAME}', ${port})`,
    )
    return [
      'DELETE FROM mysql_servers',
      `INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES ${rows.join(', ')}`,
      'DELETE FROM mysql_query_rules',
      "DELETE FROM mysql_users WHERE username LIKE 'extra%'",
      ...SECTIONS.map((section) => `LOAD ${section} TO RUNTIME`),
    ]
  }

  #replica(): string {
    return `hostname = '${NAME}' AND port = ${this.#random.pick(this.#place.replicas)}`
  }

  #servers(): Change {
    const random = this.#random
    const port = random.pick(this.#place.replicas)
    const change = random.pick<() => readonly string[]>([
      () => [`UPDATE mysql_servers SET weight = ${1 + random.below(1000)} WHERE ${this.#replica()}`],
      () => [`UPDATE mysql_servers SET max_connections = ${20 + random.below(500)}, comment = 'c${random.u32()}'`],
      () => [`UPDATE mysql_servers SET max_replication_lag = ${random.pick([0, 5, 60])} WHERE ${this.#replica()}`],
      () => [`UPDATE mysql_servers SET status = 'OFFLINE_SOFT' WHERE ${this.#replica()}`],
      () => ["UPDATE mysql_servers SET status = 'ONLINE'"],
      () => [
        `REPLACE INTO mysql_servers (hostgroup_id, hostname, port, weight) VALUES (1, '${OTHER_NAME}', ${port}, 50)`,
      ],
      () => [`DELETE FROM mysql_servers WHERE hostname = '${OTHER_NAME}'`],
      () => [`UPDATE OR IGNORE mysql_servers SET hostgroup_id = 2 WHERE hostgroup_id = 1 AND port = ${port}`],
      () => ['UPDATE OR IGNORE mysql_servers SET hostgroup_id = 1 WHERE hostgroup_id = 2'],
      // The servers' read_only says better who is the writer.
      () => [`UPDATE OR IGNORE mysql_servers SET hostgroup_id = 0 WHERE ${this.#replica()}`],
      () => [`DELETE FROM mysql_servers WHERE ${this.#replica()}`],
      () => [
        `INSERT OR IGNORE INTO mysql_servers (hostgroup_id, hostname, port) VALUES (1, '${NAME}', ${port})`,
        "UPDATE mysql_servers SET status = 'ONLINE'",
      ],
    ])
    return { statements: change(), load: 'MYSQL SERVERS' }
  }

  /** Writes wait until the primary is back, which it is with the next change. */
  #drainPrimary(): Change {
    this.#primaryDrains = true
    return {
      statements: [`UPDATE mysql_servers SET status = 'OFFLINE_SOFT' WHERE port = ${this.#place.primary}`],
      load: 'MYSQL SERVERS',
    }
  }

  #primaryBack(): Change {
    this.#primaryDrains = false
    return {
      statements: [`UPDATE mysql_servers SET status = 'ONLINE' WHERE port = ${this.#place.primary}`],
      load: 'MYSQL SERVERS',
    }
  }

  #offlineHard(): Change {
    return {
      statements: [`UPDATE mysql_servers SET status = 'OFFLINE_HARD' WHERE ${this.#replica()}`],
      load: 'MYSQL SERVERS',
    }
  }

  #users(): Change {
    const random = this.#random
    const extra = `extra${random.below(20)}`
    const own = `WHERE username = '${this.#place.user}'`
    const without = `DELETE FROM mysql_users ${own}`
    const again = `REPLACE INTO mysql_users (username, password) VALUES ('${this.#place.user}', '${this.#place.password}')`
    const statement = random.pick([
      `REPLACE INTO mysql_users (username, password) VALUES ('${extra}', 'secret${random.u32()}')`,
      `DELETE FROM mysql_users WHERE username = '${extra}'`,
      `UPDATE mysql_users SET max_connections = ${100 + random.below(1000)} ${own}`,
      `UPDATE mysql_users SET multiplex = ${random.below(2)} ${own}`,
      `UPDATE mysql_users SET comment = 'c${random.u32()}'`,
      without,
      again,
    ])
    if (statement === without) this.#rowless = true
    if (statement === again) this.#rowless = false
    return { statements: [statement], load: 'MYSQL USERS' }
  }

  #rules(): Change {
    const random = this.#random
    const columns = 'rule_id, active, match_digest, destination_hostgroup, cache_ttl, apply'
    const statement = random.pick([
      `REPLACE INTO mysql_query_rules (${columns}) VALUES (${1 + random.below(50)}, 1, '^SELECT .* FROM .*texts', 0, NULL, ${random.below(2)})`,
      `REPLACE INTO mysql_query_rules (${columns}) VALUES (${1 + random.below(50)}, 1, '^SELECT text', NULL, ${1 + random.below(500)}, 0)`,
      `DELETE FROM mysql_query_rules WHERE rule_id > ${random.below(50)}`,
    ])
    return { statements: [statement], load: 'MYSQL QUERY RULES' }
  }

  #variables(): Change {
    const random = this.#random
    const [name, value] = random.pick<readonly [string, string | number]>([
      ['max_stmts_per_connection', 20 + random.below(500)],
      ['free_connections_pct', random.below(101)],
      ['multiplexing', random.once(2) ? 'true' : 'false'],
      ['monitor_ping_interval', 200 + random.below(1000)],
      ['pipeline_depth', 1 + random.below(4)],
      ['query_digests', random.once(2) ? 'true' : 'false'],
      ['max_transaction_time', 600_000 + random.below(1000)],
      ['consistency_causal_wait', random.below(20)],
      ['connection_max_age_ms', random.pick([0, 500, 60_000])],
    ])
    const statement = random.once(2)
      ? `SET mysql-${name} = '${value}'`
      : `UPDATE global_variables SET variable_value = '${value}' WHERE variable_name = 'mysql-${name}'`
    return { statements: [statement], load: 'MYSQL VARIABLES' }
  }

  #invalid(): Change {
    const random = this.#random
    const refusedAtOnce = (sql: string, error: number): Change => ({ statements: [{ sql, error }], load: null })
    const refusedByLoad = (sql: string, load: Section, undo: string): Change => ({
      statements: [sql],
      load,
      refused: true,
      undo: [undo],
    })
    const bad = "hostname = 'bad.example'"
    return random.pick<() => Change>([
      () => refusedAtOnce('INSERT INTO mysql_servers SELECT * FROM mysql_servers', 1062),
      () => refusedAtOnce('UPDATE mysql_servers SET port = 70000', 3819),
      () => refusedAtOnce("UPDATE mysql_servers SET status = 'GONE'", 3819),
      // There may be no user to change.
      () => refusedAtOnce('INSERT INTO mysql_users (username) VALUES (NULL)', 1048),
      () => refusedAtOnce("SET mysql-no_such_variable = '1'", 1193),
      () => refusedAtOnce("SET mysql-max_connections = 'many'", 1105),
      () =>
        refusedAtOnce(
          "UPDATE global_variables SET variable_value = '-5' WHERE variable_name = 'mysql-max_connections'",
          1105,
        ),
      () => refusedAtOnce('UPDATE runtime_mysql_servers SET weight = 3', 1290),
      () => refusedAtOnce('LOAD MYSQL SERVERS TO NOWHERE', 1064),
      () => refusedAtOnce('DELETE FROM mysql_servers WHERE nope = 1', 1054),
      () =>
        refusedByLoad(
          "INSERT INTO mysql_servers (hostgroup_id, hostname, gtid_port) VALUES (1, 'bad.example', 5)",
          'MYSQL SERVERS',
          `DELETE FROM mysql_servers WHERE ${bad}`,
        ),
      () =>
        refusedByLoad(
          "INSERT INTO mysql_users (username, schema_locked) VALUES ('bad', 1)",
          'MYSQL USERS',
          "DELETE FROM mysql_users WHERE username = 'bad'",
        ),
      () =>
        refusedByLoad(
          "INSERT INTO mysql_query_rules (rule_id, active, match_digest) VALUES (999, 1, '(')",
          'MYSQL QUERY RULES',
          'DELETE FROM mysql_query_rules WHERE rule_id = 999',
        ),
      () =>
        refusedByLoad(
          "UPDATE global_variables SET variable_value = '/nowhere.pem' WHERE variable_name = 'mysql-tls_cert'",
          'MYSQL VARIABLES',
          "UPDATE global_variables SET variable_value = '' WHERE variable_name = 'mysql-tls_cert'",
        ),
    ])()
  }
}
