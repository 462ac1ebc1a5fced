import { describe, expect, it } from 'vitest'
import { startCluster } from '../../../../src/sandbox/cluster/start.js'

describe('a cluster that cannot be', () => {
  it.each<[string, Parameters<typeof startCluster>[0], string]>([
    ['has too many replicas', { engine: 'mysql', replicas: 9 }, 'replicas must be 0 to 8, not 9'],
    [
      'is MariaDB without GTIDs',
      { engine: 'mariadb', byCoordinates: true },
      'byCoordinates is for mysql: mariadb has GTIDs always',
    ],
  ])('is refused before anything is started when it %s', async (_, options, message) => {
    await expect(startCluster(options)).rejects.toThrow(message)
  })
})
