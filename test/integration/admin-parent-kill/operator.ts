import type { Connection, RowDataPacket } from 'mysql2/promise'
import type { Random } from '../../fuzz/random.js'

/** A section of the configuration whose rows all bear the same number, so that a mixture of two saves shows. */
interface Marked {
  readonly section: string
  /** Changes the number of all rows of the table in a schema (`main` or `disk`). */
  readonly mark: (schema: string, number: number) => string
  /** Reads the numbers of all rows of a layer: a schema, and what its tables' names begin with. */
  readonly numbers: (schema: string, prefix: string) => string
  readonly rows: number
}

const SERVERS = 150
const USERS = 40
const RULES = 60
/** Of variables that are numbers, may be this large and do not matter here. */
const VARIABLES = ['mysql-max_stmts_cache', 'mysql-long_query_time', 'mysql-query_digests_max_entries']
const NUMBER_MIN = 1000
const ALL_VARIABLES = `WHERE variable_name IN (${VARIABLES.map((name) => `'${name}'`).join()})`

/** Rows that the configuration file has of its own. */
interface Others {
  readonly servers: number
  readonly users: number
}

function markedSections(others: Others): readonly Marked[] {
  return [
    {
      section: 'MYSQL SERVERS',
      mark: (schema, number) => `UPDATE ${schema}.mysql_servers SET weight = ${number}`,
      numbers: (schema, prefix) => `SELECT weight AS number FROM ${schema}.${prefix}mysql_servers`,
      rows: SERVERS + others.servers,
    },
    {
      section: 'MYSQL USERS',
      mark: (schema, number) => `UPDATE ${schema}.mysql_users SET max_connections = ${number}`,
      numbers: (schema, prefix) => `SELECT max_connections AS number FROM ${schema}.${prefix}mysql_users`,
      rows: USERS + others.users,
    },
    {
      section: 'MYSQL QUERY RULES',
      mark: (schema, number) => `UPDATE ${schema}.mysql_query_rules SET comment = '${number}'`,
      numbers: (schema, prefix) => `SELECT comment AS number FROM ${schema}.${prefix}mysql_query_rules`,
      rows: RULES,
    },
    {
      section: 'MYSQL VARIABLES',
      mark: (schema, number) => `UPDATE ${schema}.global_variables SET variable_value = '${number}' ${ALL_VARIABLES}`,
      numbers: (schema, prefix) =>
        `SELECT variable_value AS number FROM ${schema}.${prefix}global_variables ${ALL_VARIABLES}`,
      rows: VARIABLES.length,
    },
  ]
}

/** Statements that add the rows to be marked, none of which has anything to do. */
function additions(): readonly string[] {
  const list = (count: number, row: (at: number) => string) => Array.from({ length: count }, (_, at) => row(at)).join()
  return [
    `INSERT INTO mysql_servers (hostgroup_id, hostname, status) VALUES ${list(SERVERS, (at) => `(9, 'db${at}', 'OFFLINE_HARD')`)}`,
    `INSERT INTO mysql_users (username, password) VALUES ${list(USERS, (at) => `('user${at}', 'secret')`)}`,
    `INSERT INTO mysql_query_rules (rule_id, active, match_digest) VALUES ${list(RULES, (at) => `(${at + 1}, 1, '^NOTHING ${at}')`)}`,
  ]
}

/** What is known of the number that a section has on disk. */
interface Knowledge {
  /** Of the last save that was acknowledged. */
  saved: number
  /** Of one that was sent and not acknowledged. */
  asked: number | null
}

/** Edits, loads and saves marked sections through the admin port, and knows what has to be on disk. */
export class Operator {
  /** Saves that were acknowledged. */
  saves = 0
  readonly #random: Random
  readonly #sections: readonly Marked[]
  readonly #known = new Map<Marked, Knowledge>()
  #number = NUMBER_MIN

  constructor(random: Random, others: Others) {
    this.#random = random
    this.#sections = markedSections(others)
  }

  /** All rows, with one number, in all three layers. */
  async prepare(admin: Connection): Promise<void> {
    for (const sql of additions()) await admin.query(sql)
    for (const marked of this.#sections) {
      await admin.query(marked.mark('main', NUMBER_MIN))
      await admin.query(`LOAD ${marked.section} TO RUNTIME`)
      await admin.query(`SAVE ${marked.section} TO DISK`)
      this.#known.set(marked, { saved: NUMBER_MIN, asked: null })
    }
  }

  /** Several operators at once, each with sections of its own, until the connections are lost. Resolves with unexpected errors. */
  async work(connections: readonly Connection[]): Promise<unknown[]> {
    const share = (at: number) => this.#sections.filter((_, index) => index % connections.length === at)
    const workers = connections.map(async (admin, at) => {
      try {
        for (;;) await this.#step(admin, this.#random.pick(share(at)))
      } catch (error) {
        // Lost is what it is meant to be; an answer of the port would have a number.
        return (error as { errno?: number; sqlState?: string }).sqlState === undefined ? [] : [error]
      }
    })
    return (await Promise.all(workers)).flat()
  }

  async #step(admin: Connection, marked: Marked): Promise<void> {
    const random = this.#random
    const number = ++this.#number
    if (random.once(6)) return this.#save(admin, marked, marked.mark('disk', number), number)
    await admin.query(marked.mark('main', number))
    if (random.once(3)) await admin.query(`LOAD ${marked.section} TO RUNTIME`)
    if (random.once(8)) await admin.query(`LOAD ${marked.section} FROM DISK`)
    else await this.#save(admin, marked, `SAVE ${marked.section} TO DISK`, number)
  }

  async #save(admin: Connection, marked: Marked, sql: string, number: number): Promise<void> {
    const known = this.#known.get(marked)!
    known.asked = number
    await admin.query(sql)
    known.saved = number
    known.asked = null
    this.saves++
  }

  /**
   * What is wrong with the configuration after a start: for each section, all rows have to be there in all layers with the number
   * of the last save or of the one that was under way.
   */
  async findings(admin: Connection): Promise<string[]> {
    const found: string[] = []
    for (const marked of this.#sections) {
      const known = this.#known.get(marked)!
      const layers = await Promise.all(
        [marked.numbers('main', ''), marked.numbers('disk', ''), marked.numbers('main', 'runtime_')].map(async (sql) =>
          (await admin.query<RowDataPacket[]>(sql))[0].map(({ number }) => Number(number)),
        ),
      )
      const [number] = layers[0]
      const whole = layers.every((rows) => rows.length === marked.rows && rows.every((each) => each === number))
      const expected = known.asked === null ? [known.saved] : [known.saved, known.asked]
      if (!whole || !expected.includes(number)) {
        const seen = layers.map((rows) => `${rows.length} rows ${[...new Set(rows)].join()}`).join(' / ')
        found.push(`${marked.section}: expected ${marked.rows} rows ${expected.join(' or ')}, got ${seen}`)
      }
      this.#known.set(marked, { saved: number, asked: null })
    }
    return found
  }
}
