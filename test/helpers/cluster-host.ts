/**
 * Runs in vitest's main process for the whole run: starts a cluster when the first test file asks for it, and ends all of them
 * when the run ends. The watchdog of the sandbox ends them too when the run is killed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestProject } from 'vitest/node'
import { type Cluster, type Engine, progressPrinter, startCluster } from '../../src/sandbox/index.js'

export interface ClusterRequest {
  engine: Engine
  replicas: number
}
export type ClusterAnswer = { dir: string } | { error: string }

declare module 'vitest' {
  interface ProvidedContext {
    /** Path of the unix socket on which clusters are asked for. */
    clusterHost: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  const clusters = new Map<string, Promise<Cluster>>()
  const stop = new AbortController()
  const obtain = ({ engine, replicas }: ClusterRequest) => {
    const key = `${engine} with ${replicas} replicas`
    const show = progressPrinter({ write: (text) => process.stderr.write(`[${key}] ${text}`) })
    const present = clusters.get(key)
    if (present !== undefined) return present
    const starting = startCluster({ engine, replicas, progress: show, signal: stop.signal })
    clusters.set(key, starting)
    return starting
  }
  const server = createServer((socket) => answer(socket, obtain))
  await new Promise<void>((resolve) => server.listen(join(folder, 'host.sock'), resolve))
  project.provide('clusterHost', join(folder, 'host.sock'))
  return async () => {
    server.close()
    stop.abort()
    const ended = [...clusters.values()].map(async (starting) => {
      const cluster = await starting.catch(() => undefined) // the test that asked has reported it
      await cluster?.down()
    })
    await Promise.all(ended)
    rmSync(folder, { recursive: true, force: true })
  }
}

function answer(socket: Socket, obtain: (request: ClusterRequest) => Promise<Cluster>): void {
  socket.on('error', () => {}) // the test process went away while it waited
  createInterface({ input: socket }).once('line', async (line) => {
    const reply = await obtain(JSON.parse(line) as ClusterRequest).then(
      ({ dir }): ClusterAnswer => ({ dir }),
      (error: Error): ClusterAnswer => ({ error: error.message }),
    )
    socket.end(`${JSON.stringify(reply)}\n`)
  })
}
