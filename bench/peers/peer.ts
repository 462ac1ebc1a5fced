import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DebianPackages, prefixCommand } from '../../src/sandbox/index.js'
import type { Address, Credentials } from '../load/connection.js'
import { freePorts } from '../system/ports.js'
import { endOnAbort } from '../system/processes.js'
import { waitUntilServing } from '../targets/serving.js'
import type { Target } from '../targets/target.js'
import { fetchPeer } from './packages.js'

const START_TIMEOUT_MS = 60_000
const OUTPUT_CHARS_MAX = 4_000

/** What a peer's configuration is made from. */
export interface PeerPlaces {
  readonly server: Address
  /** Of the loopback interface. */
  readonly port: number
  /** A folder of its own, which goes with it. */
  readonly dir: string
  /** Of its packages. */
  readonly prefix: string
  /** Threads that serve clients, as many as Sluice has workers. */
  readonly threads: number
}

/** Another proxy that the bench starts itself. */
export interface Peer {
  readonly name: string
  readonly packages: DebianPackages
  /** Its program, below the packages' folder. */
  readonly program: string
  /** Folders of libraries besides those where the system's programs have theirs. */
  readonly libraries: readonly string[]
  configuration(places: PeerPlaces): string
  /** @param file the configuration's */
  args(file: string): string[]
}

export interface PeerOptions {
  readonly server: Address
  readonly user: Credentials
  readonly threads: number
  readonly log: (line: string) => void
  readonly signal: AbortSignal
}

/**
 * Fetches a peer where it is not there yet, and starts it on the loopback interface.
 * @throws Error with the end of its output when it does not come up
 */
export async function startPeer(peer: Peer, { server, user, threads, log, signal }: PeerOptions): Promise<Target> {
  const prefix = await fetchPeer(peer.packages.names[0], peer.packages, log, signal)
  const dir = mkdtempSync(join(tmpdir(), `sluice-bench-${peer.name}-`))
  const [port] = await freePorts(1)
  const file = join(dir, 'config')
  writeFileSync(file, peer.configuration({ server, port, dir, prefix, threads }))
  log(`starting ${peer.name}`)
  const [program, ...args] = [...commandOf(peer, prefix), ...peer.args(file)]
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  endOnAbort(child, signal, 'SIGKILL')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARS_MAX)
    })
  }
  const exited = once(child, 'exit')
  const target: Target = {
    name: peer.name,
    host: '127.0.0.1',
    port,
    pids: [child.pid as number],
    async stop() {
      // Whoever ends in good order waits for clients to go.
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exited
      rmSync(dir, { recursive: true, force: true })
    },
  }
  const ended = exited.then(() => {
    throw new Error('it ended')
  })
  try {
    await Promise.race([waitUntilServing(target, user, START_TIMEOUT_MS), ended])
  } catch (error) {
    await target.stop()
    throw new Error(`${peer.name} does not come up: ${(error as Error).message}\n${output}`)
  } finally {
    ended.catch(() => {}) // ends with the bench, which is no failure then
  }
  return target
}

/** The packages come with the libraries that they were made for, so they run with their own loader. */
function commandOf({ name, program, libraries }: Peer, prefix: string): string[] {
  const command = prefixCommand(prefix, program)
  if (command === undefined) throw new Error(`${prefix} has no ${name}: remove the folder, and it is fetched again`)
  const [loader, option, path, ...rest] = command
  return [loader, option, [path, ...libraries.map((folder) => join(prefix, folder))].join(':'), ...rest]
}
