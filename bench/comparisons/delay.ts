import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Cluster, Engine } from '../../src/sandbox/index.js'
import type { Address } from '../load/connection.js'

/**
 * Replicas that are behind by less than the whole seconds which SOURCE_DELAY knows: they replicate through a relay that holds
 * back what it gives them. Nothing is thinned out, so a replica is late and not slow.
 */
export class DelayedReplication {
  /** Of every byte from the primary; for what comes from now on. */
  delayMs = 0
  readonly #cluster: Cluster
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((replica) => this.#join(replica))

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** Puts the relay between the primary and all replicas. */
  static async between(cluster: Cluster): Promise<DelayedReplication> {
    const replication = new DelayedReplication(cluster)
    replication.#server.listen(0, '127.0.0.1')
    await once(replication.#server, 'listening')
    await replication.#replicateFrom((replication.#server.address() as AddressInfo).port)
    return replication
  }

  /** Takes the relay away; the cluster's replicas stand still after it. */
  stop(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  async #replicateFrom(port: number): Promise<void> {
    for (const replica of this.#cluster.replicas) {
      for (const sql of REPOINT[this.#cluster.engine](port)) await this.#cluster.execute(replica, sql)
    }
    await this.#cluster.waitForReplicas()
  }

  #join(replica: Socket): void {
    const { host, port }: Address = this.#cluster.primary
    const primary = connect({ host, port, noDelay: true })
    replica.setNoDelay()
    for (const [socket, other] of [
      [replica, primary],
      [primary, replica],
    ]) {
      this.#sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    replica.on('data', (chunk) => primary.write(chunk))
    this.#holdBack(primary, replica)
  }

  #holdBack(primary: Socket, replica: Socket): void {
    const held: { readonly chunk: Buffer; readonly dueAt: number }[] = []
    const give = () => {
      while (held.length > 0 && held[0].dueAt <= performance.now()) replica.write(held.shift()!.chunk)
      if (held.length > 0) setTimeout(give, held[0].dueAt - performance.now())
    }
    primary.on('data', (chunk) => {
      held.push({ chunk, dueAt: performance.now() + this.delayMs })
      if (held.length === 1) give()
    })
    replica.on('close', () => held.splice(0))
  }
}

const REPOINT: Record<Engine, (port: number) => string[]> = {
  mysql: (port) => ['STOP REPLICA', `CHANGE REPLICATION SOURCE TO SOURCE_PORT = ${port}`, 'START REPLICA'],
  mariadb: (port) => [
    'STOP SLAVE',
    `CHANGE MASTER TO MASTER_PORT = ${port}, MASTER_USE_GTID = slave_pos`,
    'START SLAVE',
  ],
}
