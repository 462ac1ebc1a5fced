import { setTimeout as pause } from 'node:timers/promises'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import type { Cluster, SandboxServer } from '../../src/sandbox/index.js'

/** How many SELECTs servers have run, as they count them themselves (Com_select, Com_stmt_execute apart). */
export class SelectCounter {
  readonly #cluster: Cluster
  /** Of each server per second when nobody but monitors asks. */
  readonly #idleRates: ReadonlyMap<string, number>

  private constructor(cluster: Cluster, idleRates: ReadonlyMap<string, number>) {
    this.#cluster = cluster
    this.#idleRates = idleRates
  }

  /** Everything that monitors the servers has to run by then. */
  static async calibrated(cluster: Cluster): Promise<SelectCounter> {
    const before = await counts(cluster)
    await pause(CALIBRATION_SECONDS * 1000)
    const after = await counts(cluster)
    const rates = [...after].map(([name, count]) => [name, (count - before.get(name)!) / CALIBRATION_SECONDS] as const)
    return new SelectCounter(cluster, new Map(rates))
  }

  /** Part of the SELECTs during `work` that replicas have run, from 0 to 1. */
  async replicaShare<T>(work: () => Promise<T>): Promise<{ share: number; result: T }> {
    const before = await counts(this.#cluster)
    const startedAt = performance.now()
    const result = await work()
    const seconds = (performance.now() - startedAt) / 1000
    const after = await counts(this.#cluster)
    const selects = ({ name }: SandboxServer) =>
      Math.max(0, after.get(name)! - before.get(name)! - seconds * this.#idleRates.get(name)!)
    const onReplicas = this.#cluster.replicas.reduce((sum, replica) => sum + selects(replica), 0)
    return { share: onReplicas / Math.max(1, onReplicas + selects(this.#cluster.primary)), result }
  }
}

const CALIBRATION_SECONDS = 1

async function counts(cluster: Cluster): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (const server of cluster.servers) {
    const connection = await createConnection(server.root())
    const [[row]] = await connection.query<RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Com_select'")
    found.set(server.name, Number(row['Value']))
    await connection.end()
  }
  return found
}
