import type { Connection as CallbackConnection } from 'mysql2'
import { type Connection, type ConnectionOptions, createConnection, type RowDataPacket } from 'mysql2/promise'
import { vi } from 'vitest'
import type { Cluster, SandboxServer } from '../../../src/sandbox/index.js'
import type { RunningProxy } from '../../helpers/proxy.js'

/** What tests ask of a proxy's and a cluster's state from outside. */

/** Waits until `condition` gives something, and returns that. */
export function until<T>(what: string, condition: () => Promise<T> | T, timeoutMs = 40_000): Promise<NonNullable<T>> {
  return vi.waitFor(
    async () => {
      const found = await condition()
      if (found === false || found === undefined || found === null) throw new Error(`waiting for ${what}`)
      return found as NonNullable<T>
    },
    { timeout: timeoutMs, interval: 25 },
  )
}

/** Rows of one statement on the admin port. @param tls as `ssl` of mysql2 */
export async function admin(
  proxy: RunningProxy,
  sql: string,
  tls?: ConnectionOptions['ssl'],
): Promise<Record<string, string>[]> {
  const connection = await createConnection({
    host: '127.0.0.1',
    port: proxy.adminPort,
    user: 'admin',
    password: 'admin',
    ...(tls !== undefined && { ssl: tls }),
  })
  try {
    return (await connection.query<RowDataPacket[]>(sql))[0] as Record<string, string>[]
  } finally {
    connection.destroy()
  }
}

/** Status of a server as `hostgroup status`, of every hostgroup that it is in. */
export async function statusOf(proxy: RunningProxy, server: SandboxServer): Promise<string[]> {
  const rows = await admin(
    proxy,
    `SELECT hostgroup_id, status FROM runtime_mysql_servers WHERE port = ${server.port} ORDER BY hostgroup_id`,
  )
  return rows.map((row) => `${row['hostgroup_id']} ${row['status']}`)
}

export function untilStatus(
  proxy: RunningProxy,
  server: SandboxServer,
  status: string,
  timeoutMs = 40_000,
): Promise<unknown> {
  return until(
    `${server.name} to be ${status}`,
    async () => (await statusOf(proxy, server)).join() === status,
    timeoutMs,
  )
}

/** Value of a metric without labels, or the sum over all its labels. */
export async function metric(proxy: RunningProxy, name: string): Promise<number> {
  const text = await proxy.metrics()
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

/** How many connections of an account a server has whose statement holds `marker` (all of them without one). */
export async function running(cluster: Cluster, server: SandboxServer, marker = '', user = 'app'): Promise<number> {
  const [row] = await cluster.execute<{ n: number }[]>(
    server,
    "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE USER = ? AND COALESCE(INFO, '') LIKE ?",
    [user, `%${marker}%`],
  )
  return row.n
}

/** The server on which a statement with `marker` runs, as soon as there is one. */
export function whereRuns(cluster: Cluster, marker: string): Promise<SandboxServer> {
  return until(`a server to run ${marker}`, async () => {
    for (const server of cluster.servers) {
      if (server.state() === 'running' && (await running(cluster, server, marker)) > 0) return server
    }
    return null
  })
}

/** The id of the connection on which a server runs a statement with `marker`, as soon as there is one. */
export function connectionOf(cluster: Cluster, server: SandboxServer, marker: string, user = 'app'): Promise<number> {
  const sql = 'SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = ? AND INFO LIKE ?'
  return until(`${server.name} to run ${marker}`, async () => {
    const [row] = await cluster.execute<{ id: number }[]>(server, sql, [user, `%${marker}%`])
    return row?.id
  })
}

/** The only value of a statement's only row. */
export async function value(client: Connection, sql: string): Promise<unknown> {
  const [[row]] = await client.query<RowDataPacket[]>(sql)
  return Object.values(row)[0]
}

/** What a promise rejects with. A mistake of the test when it does not. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<{ errno: number; sqlState: string; message: string; code: string; fatal?: boolean }> {
  try {
    await promise
  } catch (error) {
    return error as { errno: number; sqlState: string; message: string; code: string; fatal?: boolean }
  }
  throw new Error('expected an error')
}

/** The connection with callbacks and events below one with promises: it tells rows as they come. */
export function withEvents(client: Connection): CallbackConnection {
  return (client as unknown as { connection: CallbackConnection }).connection
}
