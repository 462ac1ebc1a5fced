import { beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, ENGINE_NAMES, type Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { RawClient } from '../../helpers/raw-client.js'

/** What a session executes before it reads @a; every character is sent as one byte. */
const SESSIONS: Readonly<Record<string, readonly string[]>> = {
  'a text that is plain': ["SET @a = 'plain'"],
  'a text of another character set than the login': ['SET NAMES latin1', "SET @a = '\xe9t\xe9'"],
  'a text of the character set before': ['SET NAMES latin1', "SET @a = '\xe9t\xe9'", 'SET NAMES utf8mb4'],
  'a text in the statement that sets the character set': ["SET NAMES latin1, @a = 'x'"],
  'a text of the character set that the session sets first': ['SET NAMES utf8mb4', "SET @a = 'yes'"],
  'a text of the collation before': ['SET NAMES utf8mb4 COLLATE utf8mb4_bin', "SET @a = 'x'", 'SET NAMES utf8mb4'],
  'a text of a collation set alone': ["SET collation_connection = 'latin1_german2_ci'", "SET @a = 'x'"],
  'a text with backslashes, before they mean nothing': [
    "SET @a = 'a\\nb\\\\'",
    "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
  ],
  'a text with backslashes, while they mean nothing': [
    "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
    "SET @a = 'a\\nb'",
    "SET sql_mode = ''",
  ],
  'a text in double quotes, before they are for names': ['SET @a = "d"', "SET sql_mode = 'ANSI_QUOTES'"],
  'a text whose last byte could be a backslash': ['SET NAMES sjis', "SET @a = '\x83\x5c'", 'SET NAMES utf8mb4'],
  'texts one after the other': ["SET @a = 'one' ' and ' 'two'"],
  'a text with an introducer': ["SET @a = _latin1'\xe9'", 'SET NAMES latin1'],
  'a national text': ["SET @a = N'x'", 'SET NAMES latin1'],
  'bytes in hexadecimal': ["SET @a = x'e9'"],
  'a number in hexadecimal': ['SET @a = 0x41'],
  'an integer': ['SET @a = 42'],
  'a negative decimal': ['SET @a = -1.50'],
  'a floating number': ['SET @a = 1e3'],
  'a truth': ['SET @a = TRUE'],
  'a date': ["SET @a = DATE'2020-01-31'", 'SET NAMES latin1'],
}

/** The second one may read from a replica, the third one is the primary's. */
const READS = [
  'SELECT @a, HEX(@a), CHARSET(@a), COLLATION(@a)',
  'SELECT @a, HEX(@a), CHARSET(@a), COLLATION(@a), COERCIBILITY(@a), v FROM t',
  'BEGIN',
  'SELECT @a, HEX(@a), CHARSET(@a), COLLATION(@a), v FROM t',
  'ROLLBACK',
]

describe.each<Engine>(['mysql', 'mariadb'])('user variables that are set to literals, on %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (v INT)`)
    await cluster.execute(cluster.primary, `INSERT INTO ${database}.t VALUES (1)`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster)
  })

  /** The bytes of all answers from the first of `READS` on. */
  async function answers(port: number, statements: readonly string[]): Promise<string[]> {
    const client = await RawClient.connect({ port, database })
    const found: string[] = []
    await client.query('SELECT v FROM t')
    for (const sql of [...statements, ...READS]) {
      const answer = await client.query(Buffer.from(sql, 'latin1'))
      if (client.facts.errno !== 0) throw new Error(`${sql}: ${answer.toString('latin1', 4)}`)
      found.push(answer.toString('latin1'))
    }
    await client.close()
    return found.slice(statements.length)
  }

  it.each(Object.entries(SESSIONS))(
    `${ENGINE_NAMES[engine]}: %s is the same wherever it is read`,
    async (_, statements) => {
      const direct = await answers(cluster.primary.port, statements)
      // The second one has the connections of the first.
      for (let round = 0; round < 2; round++) expect(await answers(proxy.port, statements)).toEqual(direct)
    },
  )
})
