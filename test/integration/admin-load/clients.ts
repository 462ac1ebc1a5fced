import { setTimeout as pause } from 'node:timers/promises'
import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise'
import { Random } from '../../fuzz/random.js'

export const ROWS = 200
export const COUNTERS = 50
/** Think time between two statements, at most: 64 clients leave the machine some time for what is tested. */
const THINK_MS_MAX = 120
/** A client connects anew after as many rounds. */
const ROUNDS_OF_CONNECTION = 12
/** What may happen to a client: its server was taken offline. */
const TAKEN_OFFLINE = /was taken offline/

/** One client: a loop of mixed statements with checked answers, until it is told to stop. */
export class LoadClient {
  /** Increments that were committed. */
  counted = 0
  /** Increments of which the client was told that nobody knows. */
  unknown = 0
  rounds = 0
  offline = 0
  readonly failures: string[] = []
  readonly #number: number
  readonly #random: Random
  readonly #connect: () => Promise<Connection>
  #connection: Connection | null = null

  constructor(number: number, seed: string, connect: () => Promise<Connection>) {
    this.#number = number
    this.#random = new Random(`${seed} client ${number}`)
    this.#connect = connect
  }

  async run(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      try {
        this.#connection ??= await this.#connect()
        await this.#round(this.#connection)
        if (++this.rounds % ROUNDS_OF_CONNECTION === 0) await this.#leave()
      } catch (error) {
        const { message } = error as Error
        if (TAKEN_OFFLINE.test(message)) this.offline++
        else this.failures.push(message)
        await this.#leave()
      }
      await pause(this.#random.below(THINK_MS_MAX))
    }
    await this.#leave()
  }

  async #leave(): Promise<void> {
    const connection = this.#connection
    this.#connection = null
    await connection?.end().catch(() => {})
  }

  async #round(connection: Connection): Promise<void> {
    const random = this.#random
    const work = random.pick([
      () => this.#read(connection),
      () => this.#prepared(connection),
      () => this.#count(connection),
      () => this.#readsItsWrite(connection),
      () => this.#transaction(connection),
      () => this.#readOnlyTransaction(connection),
      () => this.#variables(connection),
      () => this.#temporaryTable(connection),
    ])
    await work()
  }

  async #read(connection: Connection): Promise<void> {
    const id = 1 + this.#random.below(ROWS)
    const rows = await select(connection, `SELECT text FROM texts WHERE id = ${id}`)
    this.#expect(rows, [{ text: `text-${id}` }])
  }

  async #prepared(connection: Connection): Promise<void> {
    const id = 1 + this.#random.below(ROWS)
    const [rows] = await connection.execute<RowDataPacket[]>('SELECT id, text FROM texts WHERE id = ?', [id])
    this.#expect(rows, [{ id, text: `text-${id}` }])
  }

  async #count(connection: Connection): Promise<void> {
    const statement = `UPDATE counters SET n = n + 1 WHERE id = ${1 + this.#random.below(COUNTERS)}`
    const [{ affectedRows }] = await this.#increment(() => connection.query<ResultSetHeader>(statement))
    this.#expect(affectedRows, 1)
  }

  /** Takes note of an increment, whichever way it ends. */
  async #increment<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      this.counted++
      return result
    } catch (error) {
      if (/is unknown/.test((error as Error).message)) this.unknown++
      throw error
    }
  }

  async #readsItsWrite(connection: Connection): Promise<void> {
    const mark = `${this.#number}-${this.#random.u32()}`
    await connection.query(`REPLACE INTO notes VALUES (${this.#number}, '${mark}')`)
    const rows = await select(connection, `SELECT mark FROM notes WHERE client = ${this.#number}`)
    this.#expect(rows, [{ mark }])
  }

  async #transaction(connection: Connection): Promise<void> {
    const id = 1 + this.#random.below(COUNTERS)
    await connection.query('START TRANSACTION')
    const [before] = await select(connection, `SELECT n FROM counters WHERE id = ${id} FOR UPDATE`)
    await connection.query(`UPDATE counters SET n = n + 1 WHERE id = ${id}`)
    const [after] = await select(connection, `SELECT n FROM counters WHERE id = ${id}`)
    this.#expect(after?.['n'], Number(before?.['n']) + 1)
    if (this.#random.once(4)) await connection.query('ROLLBACK')
    else await this.#increment(() => connection.query('COMMIT'))
  }

  async #readOnlyTransaction(connection: Connection): Promise<void> {
    await connection.query('START TRANSACTION READ ONLY')
    const id = 1 + this.#random.below(ROWS)
    for (let time = 0; time < 3; time++) {
      this.#expect(await select(connection, `SELECT text FROM texts WHERE id = ${id}`), [{ text: `text-${id}` }])
    }
    await connection.query('COMMIT')
  }

  async #variables(connection: Connection): Promise<void> {
    const mark = String(this.#random.u32())
    await connection.query(`SET @mark = '${mark}'`)
    this.#expect(await select(connection, 'SELECT @mark AS mark'), [{ mark }])
  }

  async #temporaryTable(connection: Connection): Promise<void> {
    await connection.query('CREATE TEMPORARY TABLE IF NOT EXISTS own (id INT PRIMARY KEY)')
    await connection.query('REPLACE INTO own VALUES (1), (2)')
    this.#expect(await select(connection, 'SELECT COUNT(*) AS n FROM own'), [{ n: 2 }])
    await connection.query('DROP TEMPORARY TABLE own')
  }

  #expect(got: unknown, wanted: unknown): void {
    const [is, should] = [JSON.stringify(got), JSON.stringify(wanted)]
    if (is !== should) throw new Error(`expected ${should}, got ${is}`)
  }
}

async function select(connection: Connection, sql: string): Promise<RowDataPacket[]> {
  return (await connection.query<RowDataPacket[]>(sql))[0]
}
