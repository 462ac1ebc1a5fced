import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { obtainServer } from '../binaries/obtain.js'
import { ENGINE_NAMES } from '../binaries/version.js'
import { messageOf, SandboxError } from '../errors.js'
import { freePorts } from '../ports.js'
import type { Cluster, ClusterOptions, ServerBinaries } from '../types.js'
import { accountStatements } from './accounts.js'
import { SandboxCluster } from './cluster.js'
import { copyDatadir, initialiseDatadir } from './datadir.js'
import { runStatements } from './sql.js'
import { type ClusterState, readState, writeState } from './state.js'
import { startWatchdog } from './watchdog.js'

export const REPLICAS_MAX = 8

const WITHOUT_GTIDS = ['--gtid-mode=OFF', '--enforce-gtid-consistency=OFF']

/** Longest path of a unix socket, without the terminating zero; see unix(7). */
const SOCKET_PATH_BYTES_MAX = 107
const SHORT_FOLDER = '/tmp' // every POSIX system has it; TMPDIR may be as long as the sandbox folder

/**
 * Starts one primary and its replicas, with replication running. Takes some seconds once the server is in the cache.
 * @throws SandboxError; then nothing is left behind
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { engine, replicas = 2, progress, signal } = options
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > REPLICAS_MAX) {
    throw new SandboxError(`replicas must be 0 to ${REPLICAS_MAX}, not ${replicas}`)
  }
  if (options.byCoordinates === true && engine !== 'mysql') {
    throw new SandboxError(`byCoordinates is for mysql: ${engine} has GTIDs always`)
  }
  signal?.throwIfAborted()
  if (options.dir !== undefined) checkFolder(resolve(options.dir)) // before a long download
  const binaries = options.binaries ?? (await obtainServer(options))
  const state = await plan(options, binaries, replicas)
  const cluster = new SandboxCluster(state, startWatchdog(state.dir, state.socketDir))
  try {
    await bringUp(cluster, options)
    state.isComplete = true
    cluster.save()
    signal?.throwIfAborted()
  } catch (error) {
    await cluster.down()
    throw signal?.aborted ? signal.reason : error
  }
  if (options.detached) cluster.release()
  progress?.({ step: 'ready', message: `${ENGINE_NAMES[engine]} ${binaries.version} is up` })
  return cluster
}

/**
 * The cluster that another process started in `dir`, to look at it or to end it.
 * @returns undefined when there is none
 */
export function attachCluster(dir: string): Cluster | undefined {
  const state = existsSync(dir) ? readState(realpathSync(dir)) : undefined
  return state === undefined ? undefined : new SandboxCluster(state)
}

async function bringUp(cluster: SandboxCluster, { progress, signal }: ClusterOptions): Promise<void> {
  const { servers, primary, replicas, dir, binaries } = cluster
  progress?.({ step: 'initialise', message: 'making the system tables' })
  await initialiseDatadir(binaries, dir, primary.datadir, signal)
  await allOf(replicas, (replica) => {
    mkdirSync(join(dir, replica.name))
    return copyDatadir(primary.datadir, replica.datadir, signal)
  })
  progress?.({ step: 'start', message: `starting ${servers.length} servers` })
  await allOf(servers, async (server) => {
    await server.startFirst(signal)
    await runStatements(server.socket, accountStatements(cluster.engine))
  })
  if (replicas.length > 0) progress?.({ step: 'replication', message: 'starting replication' })
  await allOf(replicas, (replica) => cluster.follow(replica, signal))
}

/** Like Promise.all, but nothing is still under way when it rejects, so that the clean-up comes last. */
async function allOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(items.map(work))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

async function plan(options: ClusterOptions, binaries: ServerBinaries, replicas: number): Promise<ClusterState> {
  const dir = prepareFolder(options.dir)
  const names = ['primary', ...Array.from({ length: replicas }, (_, index) => `replica${index + 1}`)]
  const needsSocketDir = Buffer.byteLength(join(dir, 'replica0.sock')) > SOCKET_PATH_BYTES_MAX
  const socketDir = needsSocketDir ? mkdtempSync(join(SHORT_FOLDER, 'sluice-')) : undefined
  const ports = await freePorts(names.length)
  const state: ClusterState = {
    format: 1,
    dir,
    engine: options.engine,
    ...(socketDir ? { socketDir } : {}),
    semiSync: options.semiSync ?? false,
    ...(options.byCoordinates ? { byCoordinates: true } : {}),
    serverOptions: [...(options.byCoordinates ? WITHOUT_GTIDS : []), ...(options.serverOptions ?? [])],
    binaries,
    servers: names.map((name, index) => ({
      name,
      role: index === 0 ? 'primary' : 'replica',
      serverId: index + 1,
      port: ports[index]!,
      socket: join(socketDir ?? dir, `${name}.sock`),
    })),
    isComplete: false,
  }
  writeState(state)
  return state
}

function prepareFolder(wanted: string | undefined): string {
  if (wanted === undefined) return realpathSync(mkdtempSync(join(tmpdir(), 'sluice-sandbox-')))
  const dir = resolve(wanted)
  try {
    mkdirSync(dir, { recursive: true })
  } catch (error) {
    throw new SandboxError(`the folder ${dir} cannot be made: ${messageOf(error)}`)
  }
  checkFolder(dir)
  return realpathSync(dir)
}

function checkFolder(dir: string): void {
  if (!existsSync(dir)) return
  if (!statSync(dir).isDirectory()) throw new SandboxError(`${dir} is not a folder`)
  if (readdirSync(dir).length === 0) return
  const isOurs = readState(realpathSync(dir)) !== undefined
  throw new SandboxError(
    isOurs ? `there is a sandbox in ${dir} already; end it first` : `the folder ${dir} is not empty`,
  )
}
