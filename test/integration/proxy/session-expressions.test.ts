import type { RowDataPacket } from 'mysql2'
import { expect, it } from 'vitest'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { startProxy } from '../../helpers/proxy.js'

for (const engine of ['mysql', 'mariadb'] as const) {
  it(`variables of ${engine} that were set to expressions stay with the session, and its writes go to the primary`, async () => {
    const cluster = await sharedCluster(engine)
    const database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.t (size INT, at DATETIME)`)
    await cluster.waitForReplicas()
    const proxy = await startProxy(cluster)
    const first = async (client: Awaited<ReturnType<typeof proxy.connect>>, sql: string) =>
      (await client.query<RowDataPacket[]>({ sql, rowsAsArray: true }))[0][0] as unknown

    // Its only connection is one to a replica when it sets the variable.
    const sizes = await proxy.connect({ database })
    await sizes.query('SELECT size FROM t')
    await sizes.query('SET @@sort_buffer_size = 1024 * 512')
    expect(await first(sizes, 'SELECT @@sort_buffer_size')).toEqual([524_288])
    await sizes.query('INSERT INTO t (size) VALUES (@@sort_buffer_size)')
    expect(await first(sizes, 'SELECT size FROM t')).toEqual([524_288])

    const times = await proxy.connect({ database })
    await times.query('SELECT size FROM t')
    await times.query("SET timestamp = UNIX_TIMESTAMP('2011-01-01 01:01:01')")
    const now = "SELECT DATE_FORMAT(NOW(), '%Y-%m-%d %T')"
    expect(await first(times, now)).toEqual(['2011-01-01 01:01:01'])
    await times.query('BEGIN')
    expect(await first(times, now)).toEqual(['2011-01-01 01:01:01'])
    await times.query('ROLLBACK')

    const tracked = await proxy.connect({ database })
    await tracked.query('SELECT size FROM t')
    await tracked.query("SET SESSION session_track_system_variables = 'time_zone'")
    await tracked.query('SET SESSION sort_buffer_size = 65536')
    expect(await first(tracked, 'SELECT @@sort_buffer_size')).toEqual([65_536])
    await tracked.query('BEGIN')
    expect(await first(tracked, 'SELECT @@sort_buffer_size')).toEqual([65_536])
    await tracked.query('ROLLBACK')
    await tracked.query('SET SESSION sort_buffer_size = 131072')
    expect(await first(tracked, 'SELECT @@sort_buffer_size')).toEqual([131_072])
  })
}
