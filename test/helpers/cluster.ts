import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { afterAll, inject } from 'vitest'
import { attachCluster, type Cluster, type ClusterOptions, type Engine, startCluster } from '../../src/sandbox/index.js'
import type { ClusterAnswer, ClusterRequest } from './cluster-host.js'

const own: Cluster[] = []

afterAll(async () => {
  await Promise.all(own.splice(0).map((cluster) => cluster.down()))
})

/**
 * The cluster that all test files of a run share, started when the first one asks. Leave it as you found it: work in a database
 * of your own ({@link createDatabase}), end no server, change no role, and restart replication that you stopped.
 */
export async function sharedCluster(engine: Engine, { replicas = 2 }: { replicas?: number } = {}): Promise<Cluster> {
  const answer = await ask({ engine, replicas })
  if ('error' in answer) throw new Error(answer.error)
  const cluster = attachCluster(answer.dir)
  if (cluster === undefined) throw new Error(`the shared cluster in ${answer.dir} is gone`)
  return cluster
}

/** A cluster for one test file, to be broken at will. It is taken down after the file's tests. */
export async function ownCluster(engine: Engine, options: Omit<ClusterOptions, 'engine'> = {}): Promise<Cluster> {
  const cluster = await startCluster({ ...options, engine })
  own.push(cluster)
  return cluster
}

/** A new database on all servers; returns its name. */
export async function createDatabase(cluster: Cluster): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await cluster.execute(cluster.primary, `CREATE DATABASE ${name}`)
  await cluster.waitForReplicas()
  return name
}

function ask(request: ClusterRequest): Promise<ClusterAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(inject('clusterHost'))
    socket.once('error', reject)
    socket.write(`${JSON.stringify(request)}\n`)
    createInterface({ input: socket })
      .once('line', (line) => resolve(JSON.parse(line) as ClusterAnswer))
      .once('close', () => reject(new Error('the test run ended before the cluster was up')))
  })
}
