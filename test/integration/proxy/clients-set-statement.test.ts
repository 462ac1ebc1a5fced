import { beforeAll, describe, expect, it } from 'vitest'
import { Answer, Capability, Command } from '../../../protocol/index.js'
import type { Cluster } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES, RawClient } from '../../helpers/raw-client.js'

/** With CLIENT_DEPRECATE_EOF the end of a result set can report variables too. */
const CAPABILITIES = PLAIN_CAPABILITIES | Capability.DEPRECATE_EOF
const WHERE = ['/* sluice: primary */', ...new Array<string>(6).fill('/* hostgroup=1 */')]

describe('SET STATEMENT ... FOR, which MariaDB connectors use for timeouts', () => {
  let cluster: Cluster
  let proxy: RunningProxy
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster('mariadb')
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)`)
    await cluster.waitForReplicas()
    proxy = await startProxy(cluster)
  })

  const statements = [
    'SET STATEMENT max_statement_time = 77 FOR SELECT 1',
    '/* c */ SET STATEMENT max_statement_time = 77 FOR SELECT id FROM t FOR UPDATE',
    'SET STATEMENT max_statement_time = 77, group_concat_max_len = 77 FOR INSERT INTO t (v) VALUES (1)',
  ]
  const cases = statements.flatMap((sql) => [
    { sql, prepared: false },
    { sql, prepared: true },
  ])

  it.each(cases)('holds for that statement alone: $sql (prepared: $prepared)', async ({ sql, prepared }) => {
    const client = await RawClient.connect({ port: proxy.port, capabilities: CAPABILITIES, database })
    for (const hint of WHERE) await client.query(`${hint} SELECT 1`)
    await (prepared ? execute(client, sql) : client.query(sql))
    expect(client.facts.errno).toBe(0)
    for (const hint of WHERE) {
      const answer = await client.query(`${hint} SELECT @@max_statement_time, @@group_concat_max_len`)
      expect(answer.toString('latin1'), hint).toContain('0.000000\x071048576')
    }
    await client.close()
  })
})

async function execute(client: RawClient, sql: string): Promise<void> {
  const prepared = await client.command(Command.STMT_PREPARE, Buffer.from(sql), Answer.prepare)
  // Id, no cursor, one iteration.
  await client.command(Command.STMT_EXECUTE, Buffer.concat([prepared.subarray(5, 9), Buffer.from([0, 1, 0, 0, 0])]))
}
