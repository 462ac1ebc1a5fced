import { describe, it } from 'vitest'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { type AdminClient, asking } from './ask.js'
import type { AdminLogin } from './clients.js'
import { TOOLS, type Tool } from './tools.js'

/** One Sluice for all clients: what a tool adds it takes away again. */
export interface ToolSetting {
  readonly proxy: RunningProxy
  readonly login: AdminLogin
  /** In it, the account app reads rows, and stays connected. */
  readonly schema: string
}

export async function makeToolSetting(): Promise<ToolSetting> {
  const cluster = await sharedCluster('mysql')
  const schema = await createDatabase(cluster)
  await cluster.execute(cluster.primary, `CREATE TABLE ${schema}.items (id INT PRIMARY KEY, name VARCHAR(20))`)
  await cluster.execute(cluster.primary, `INSERT INTO ${schema}.items VALUES (1, 'one'), (2, 'two')`)
  await cluster.waitForReplicas()
  const proxy = await startProxy(cluster, { admin: { users: { admin: 'admin', stats: 'stats' } } })
  return { proxy, login: { port: proxy.adminPort, user: 'admin', password: 'admin' }, schema }
}

/** A test for each tool: the client sends what it sends. */
export function describeTools(
  name: string,
  setting: () => ToolSetting,
  connect: () => Promise<AdminClient>,
  tools: readonly Tool[] = TOOLS,
): void {
  describe(name, () => {
    for (const tool of tools) {
      it(`serves ${tool.name}`, { timeout: 60_000 }, async () => {
        const { proxy, schema } = setting()
        const app = await proxy.connect({ database: schema })
        await app.query('SELECT id, name FROM items WHERE id > 0')
        const client = await connect()
        try {
          await tool.use(asking(client), schema)
        } finally {
          await client.close()
          app.destroy()
        }
      })
    }
  })
}
