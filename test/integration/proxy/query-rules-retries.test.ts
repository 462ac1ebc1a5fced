import type { Connection, RowDataPacket } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster, Engine, SandboxServer } from '../../../src/sandbox/index.js'
import { ownCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { connectionOf, metric, rejection, running, until, untilStatus, whereRuns } from './observe.js'

const SLOW = { timeout: 120_000 }
/** Marks of statements, and what their rules say of `retries`. */
const RETRIES = { not_once: 0, once: 1, five_times: 5 }

describe.each<Engine>(['mysql', 'mariadb'])('retries of a query rule, on servers of %s that fail', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy
  let client: Connection
  const LOST = engine === 'mysql' ? 1053 : 1927

  beforeAll(async () => {
    cluster = await ownCluster(engine)
    const query_rules = Object.entries(RETRIES).map(([mark, retries], at) => ({
      ...{ rule_id: at + 1, match_pattern: `\\b${mark}\\b`, retries, apply: 1 },
    }))
    proxy = await startProxy(cluster, { query_rules, limits: { connect_timeout_server_max: 60_000 } })
    client = await proxy.connect()
  }, SLOW.timeout)

  const sleeping = (mark: string): string => `SELECT 7 AS n, SLEEP(?) AS slept /* ${mark} ${engine} */`

  const ask = async (mark: string, seconds: number, prepared: boolean): Promise<unknown> => {
    const [[row]] = await (prepared
      ? client.execute<RowDataPacket[]>(sleeping(mark), [seconds])
      : client.query<RowDataPacket[]>(sleeping(mark), [seconds]))
    return row['n']
  }

  /** Ends the connection on which a statement runs, wherever that is. */
  const endConnection = async (mark: string): Promise<void> => {
    const server = await whereRuns(cluster, `${mark} ${engine}`)
    const id = await connectionOf(cluster, server, `${mark} ${engine}`)
    await cluster.execute(server, `KILL CONNECTION ${id}`)
    await until('the connection to be gone', async () => (await connections(server, id)) === 0)
  }

  const connections = async (server: SandboxServer, id: number): Promise<number> => {
    const sql = 'SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE ID = ?'
    return (await cluster.execute<{ n: number }[]>(server, sql, [id]))[0].n
  }

  const retried = (): Promise<number> => metric(proxy, 'sluice_queries_retried_total')

  describe.each([
    ['text', false],
    ['prepared', true],
  ] as const)('%s', (_name, prepared) => {
    it.each(Object.entries(RETRIES))(
      '%s: a read is repeated %i times, and then its client is told',
      SLOW,
      async (mark, retries) => {
        const before = await retried()
        const answer = rejection(ask(mark, 60, prepared))
        for (let lost = 0; lost <= retries; lost++) await endConnection(mark)
        expect(await answer).toMatchObject({ errno: LOST })
        for (const server of cluster.servers) expect(await running(cluster, server, `${mark} ${engine}`)).toBe(0)
        await until('repetitions to be counted', async () => (await retried()) === before + retries)
        // The session goes on.
        expect(await ask(mark, 0, prepared)).toBe(7)
      },
    )
  })

  it('a server that dies: the read is repeated where a rule lets it, and not where it says 0', SLOW, async () => {
    const marks = ['once', 'not_once']
    for (const mark of marks) {
      const reader = await proxy.connect()
      const answer = reader.query<RowDataPacket[]>(sleeping(mark), [1.5]).then(
        ([[row]]) => row['n'],
        ({ errno }) => errno,
      )
      const victim = await whereRuns(cluster, `${mark} ${engine}`)
      await victim.kill()
      expect(await answer).toBe(mark === 'once' ? 7 : LOST)
      await victim.start()
      await untilStatus(proxy, victim, `${victim.role === 'primary' ? 0 : 1} ONLINE`)
    }
  })
})
