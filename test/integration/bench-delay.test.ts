import { describe, expect, it } from 'vitest'
import { DelayedReplication } from '../../bench/comparisons/delay.js'
import { SelectCounter } from '../../bench/comparisons/selects.js'
import type { Engine } from '../../src/sandbox/index.js'
import { createDatabase, ownCluster } from '../helpers/cluster.js'

describe.each<Engine>(['mysql', 'mariadb'])('replicas of %s behind a relay of the bench', (engine) => {
  it('are so many milliseconds late, and not less', { timeout: 60_000 }, async () => {
    const cluster = await ownCluster(engine, { replicas: 1 })
    const database = await createDatabase(cluster)
    const replication = await DelayedReplication.between(cluster)
    try {
      const late: number[] = []
      for (const delayMs of [400, 0]) {
        replication.delayMs = delayMs
        await cluster.execute(cluster.primary, `CREATE TABLE ${database}.after_${delayMs} (a INT)`)
        const writtenAt = performance.now()
        await cluster.waitForReplicas()
        late.push(performance.now() - writtenAt)
      }
      expect(late[0]).toBeGreaterThanOrEqual(390)
      expect(late[1]).toBeLessThan(late[0])
      const counter = await SelectCounter.calibrated(cluster)
      const { share } = await counter.replicaShare(async () => {
        for (let i = 0; i < 30; i++) await cluster.execute(cluster.replicas[0], 'SELECT 1')
        for (let i = 0; i < 10; i++) await cluster.execute(cluster.primary, 'SELECT 1')
      })
      expect(share).toBeCloseTo(0.75, 1)
    } finally {
      replication.stop()
    }
  })
})
