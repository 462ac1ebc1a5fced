import { createHash } from 'node:crypto'
import { createConnection } from 'mysql2/promise'
import { describe, expect, it } from 'vitest'
import { Capability, type Compressor, encodeQuery } from '../../../protocol/index.js'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { compressionFlag, compressionFor } from '../../../src/worker/backend/compressors.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, serverConfig, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES, payloads, RawClient } from '../../helpers/raw-client.js'

const TIMEOUT_MS = 120_000
const MIB = 1 << 20

type Algorithm = 'off' | 'zlib' | 'zstd'

/** Sequence numbers of an answer's packets. */
function numbers(answer: Buffer): number[] {
  const found: number[] = []
  for (let at = 0; at < answer.length; at += 4 + answer.readUIntLE(at, 3)) found.push(answer[at + 3])
  return found
}

function rawClient(port: number, algorithm: Algorithm, compressor?: Compressor): Promise<RawClient> {
  const capabilities = PLAIN_CAPABILITIES | Capability.MULTI_STATEMENTS | compressionFlag(algorithm)
  return RawClient.connect({ port, capabilities, ...(compressor && { compressor }) })
}

async function compressorOf(algorithm: Algorithm): Promise<Compressor | undefined> {
  return algorithm === 'off' ? undefined : (await compressionFor(algorithm)).compressor
}

function proxyFor(cluster: Cluster, compression: Algorithm): Promise<RunningProxy> {
  return startProxy(cluster, {
    servers: cluster.servers.map((server) => serverConfig(server, { compression })),
    limits: { shutdown_timeout: 2000, max_allowed_packet: 128 * MIB },
  })
}

const CASES: readonly (readonly [Engine, Algorithm, Algorithm])[] = [
  ['mysql', 'zlib', 'off'],
  ['mysql', 'zstd', 'off'],
  ['mysql', 'off', 'zlib'],
  ['mysql', 'off', 'zstd'],
  ['mysql', 'zlib', 'zstd'],
  ['mysql', 'zstd', 'zlib'],
  ['mariadb', 'zlib', 'off'],
  ['mariadb', 'off', 'zlib'],
  ['mariadb', 'zlib', 'zlib'],
]

describe.each(CASES)('%s, the client %s, the server %s', (engine, client, server) => {
  it(
    'gives the bytes that the server alone gives, in packets of the same numbers',
    async () => {
      const cluster = await sharedCluster(engine)
      const database = await createDatabase(cluster)
      const proxy = await proxyFor(cluster, server)
      const compressor = await compressorOf(client)
      const through = await rawClient(proxy.port, client, compressor)
      const direct = await rawClient(cluster.primary.port, 'off')
      expect(through.capabilities & (Capability.COMPRESS | Capability.ZSTD_COMPRESSION_ALGORITHM)).toBe(
        compressionFlag(client),
      )
      const both = async (sql: string, file?: Buffer): Promise<Buffer> => {
        const [here, there] = [await through.query(sql, file), await direct.query(sql, file)]
        expect(numbers(here), sql.slice(0, 100)).toEqual(numbers(there))
        return here
      }
      await both(`USE ${database}`)
      const same = async (sql: string): Promise<void> => {
        const [here, there] = [await through.query(sql), await direct.query(sql)]
        expect(here.equals(there), sql.slice(0, 100)).toBe(true)
      }
      await same('/* sluice:primary */ SELECT 1')
      await same(`SELECT 1, 'x'; SELECT REPEAT('ab', 200); DO 1; SELECT 3; SELECT * FROM nowhere`)
      await same(`SELECT REPEAT('ab', 40000) UNION ALL SELECT REPEAT('cd', 60000) UNION ALL SELECT 5`)
      await same(`SELECT '${'long '.repeat(60_000)}'`)
      await through.query('CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a LONGTEXT)')
      await direct.query('CREATE TABLE d (id INT PRIMARY KEY AUTO_INCREMENT, a LONGTEXT)')
      const file = Buffer.from(Array.from({ length: 5000 }, (_, index) => `line ${index} of the file\n`).join(''))
      const [here, there] = [
        await through.query(`LOAD DATA LOCAL INFILE 'x' INTO TABLE ${database}.t (a)`, file),
        await direct.query(`LOAD DATA LOCAL INFILE 'x' INTO TABLE ${database}.d (a)`, file),
      ]
      expect(numbers(here)).toEqual(numbers(there))
      await same('SELECT COUNT(*), SUM(LENGTH(a)) FROM t FOR UPDATE')
      const pipelined = ['SELECT 1', `SELECT '${'2'.repeat(100_000)}'`, 'SELECT 3'].map((sql) => encodeQuery(sql, 0))
      if (client === 'off') {
        const answers = await through.pipeline(pipelined)
        expect(answers.map(numbers)).toEqual([0, 1, 2].map(() => [1, 2, 3, 4, 5]))
      }
      await Promise.all([through.close(), direct.close()])
      await proxy.stop()
    },
    TIMEOUT_MS,
  )
})

describe.each([
  ['mysql', 'zstd'],
  ['mariadb', 'zlib'],
] as const)('%s with %s on both sides', (engine, algorithm) => {
  it(
    'takes a command of 20 MB and gives a result of 50 MB, and what SHOW STATUS says of it is true',
    async () => {
      const cluster = await sharedCluster(engine)
      const database = await createDatabase(cluster)
      const proxy = await proxyFor(cluster, algorithm)
      const client = await rawClient(proxy.port, algorithm, await compressorOf(algorithm))
      await client.query(`USE ${database}`)
      await client.query('CREATE TABLE big (id INT PRIMARY KEY, a LONGTEXT)')
      const inserted = await client.send(largeInsert(20 * MIB))
      expect(inserted[4]).toBe(0)
      const check = await client.query('SELECT SHA2(a, 256) FROM big FOR UPDATE')
      expect(payloads(check)[3].toString('latin1', 1)).toBe(
        createHash('sha256')
          .update(longText(20 * MIB))
          .digest('hex'),
      )
      const rows = 50
      const result = await client.query(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT i, REPEAT(CHAR(65 + i % 26), ${MIB}) FROM n`,
      )
      expect(result.length).toBeGreaterThan(rows * MIB)
      expect(numbers(result)).toEqual(Array.from({ length: rows + 5 }, (_, index) => (index + 1) & 0xff))
      const status = await client.query("SHOW STATUS LIKE 'Compression'")
      expect(status.includes('ON')).toBe(true)
      if (engine === 'mysql') {
        expect((await client.query("SHOW STATUS LIKE 'Compression_algorithm'")).includes(algorithm)).toBe(true)
      }
      await client.close()
      await proxy.stop()
    },
    TIMEOUT_MS,
  )
})

it(
  'mysql2 with compress: true works as without, prepared statements included',
  async () => {
    const cluster = await sharedCluster('mysql')
    const proxy = await proxyFor(cluster, 'zlib')
    const connection = await createConnection({
      ...{ host: '127.0.0.1', port: proxy.port, user: 'app', password: 'app', database: 'test' },
      ...({ compress: true } as object),
    })
    const text = 'compress me '.repeat(10_000)
    for (let id = 0; id < 20; id++) {
      const [rows] = await connection.execute('SELECT ? AS a, CAST(? AS SIGNED) AS id', [text, id])
      expect(rows).toEqual([{ a: text, id }])
    }
    const [[short], [status]] = [
      (await connection.query('SELECT 1 AS one'))[0] as object[],
      (await connection.query("SHOW SESSION STATUS LIKE 'Compression'"))[0] as object[],
    ]
    expect([short, status]).toEqual([{ one: 1 }, { Variable_name: 'Compression', Value: 'ON' }])
    await connection.end()
    await proxy.stop()
  },
  TIMEOUT_MS,
)

it(
  'offers clients what the configuration says, and refuses those that compress nothing where they have to',
  async () => {
    const cluster = await sharedCluster('mysql')
    const proxy = await startProxy(cluster, { protocol_compression_algorithms: ['zstd'] })
    const zstd = await compressorOf('zstd')
    await expect(rawClient(proxy.port, 'off')).rejects.toThrow("3922 Invalid compression algorithm 'uncompressed'.")
    await expect(rawClient(proxy.port, 'zlib')).rejects.toThrow('3922')
    const client = await rawClient(proxy.port, 'zstd', zstd)
    expect((await client.query('SELECT 1')).length).toBeGreaterThan(20)
    await client.close()
    await proxy.stop()
  },
  TIMEOUT_MS,
)

it(
  'goes on without where a server does not offer its compression, and logs it once',
  async () => {
    const cluster = await sharedCluster('mariadb')
    const proxy = await proxyFor(cluster, 'zstd')
    for (let i = 0; i < 3; i++) {
      const client = await rawClient(proxy.port, 'off')
      // As a pattern it is the server's to answer, of its own connection.
      expect((await client.query("SHOW STATUS LIKE 'Compressio%'")).includes('OFF')).toBe(true)
      await client.close()
    }
    const told = proxy.log().filter(({ msg }) => String(msg).includes('does not offer its compression'))
    expect(new Set(told.map(({ server }) => server)).size).toBe(told.length)
    expect(told.length).toBeGreaterThan(0)
    await proxy.stop()
  },
  TIMEOUT_MS,
)

const longText = (length: number): Buffer => Buffer.alloc(length, 'abcdefghijklmnopqrstuvwxyz')

/** An INSERT whose packets are numbered over 16 MB. */
function largeInsert(length: number): Buffer {
  const head = Buffer.from("\x03INSERT INTO big VALUES (1, '", 'latin1')
  const payload = Buffer.concat([head, longText(length), Buffer.from("')")])
  const parts: Buffer[] = []
  let sequence = 0
  for (let at = 0; ; at += 0xffffff) {
    const part = payload.subarray(at, at + 0xffffff)
    const header = Buffer.alloc(4)
    header.writeUIntLE(part.length, 0, 3)
    header[3] = sequence++
    parts.push(header, part)
    if (part.length < 0xffffff) return Buffer.concat(parts)
  }
}
