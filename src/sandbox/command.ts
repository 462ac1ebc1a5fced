/** `sluice sandbox up|status|down`: a throw-away replicated cluster that stays until it is taken down. */
import { resolve } from 'node:path'
import type { Argv, CommandModule } from 'yargs'
import { askVersion } from './binaries/installed.js'
import { ENGINE_NAMES } from './binaries/version.js'
import { attachCluster, REPLICAS_MAX, startCluster } from './cluster/start.js'
import { messageOf } from './errors.js'
import { defaultSandboxFolder } from './paths.js'
import { progressPrinter } from './progress-printer.js'
import type { Cluster, Engine, SandboxServer } from './types.js'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2
const EXIT_BY_SIGNAL: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }

interface FolderOptions {
  dir?: string | undefined
  json: boolean
}

interface UpOptions extends FolderOptions {
  engine?: string | undefined
  replicas: number
  semiSync: boolean
  mysqld?: string | undefined
}

export const sandboxCommand: CommandModule = {
  command: 'sandbox',
  describe: 'Start, show or end a throw-away replicated cluster on this machine',
  builder: (yargs) =>
    yargs
      .command<UpOptions>('up', 'Start one primary and its replicas', upOptions, (args) => report(args, up))
      .command<FolderOptions>('status', 'Show the servers of the sandbox', folderOptions, (args) =>
        report(args, status),
      )
      .command<FolderOptions>('down', 'Stop the servers and remove their files', folderOptions, (args) =>
        report(args, down),
      )
      .demandCommand(1, 'sandbox needs one of: up, status, down')
      .strict()
      .fail(failUsage),
  handler: () => {},
}

function folderOptions(yargs: Argv): Argv<FolderOptions> {
  return yargs
    .option('dir', {
      type: 'string',
      requiresArg: true,
      describe: 'Folder of the sandbox',
      defaultDescription: '~/.local/state/sluice/sandbox',
    })
    .option('json', { type: 'boolean', default: false, describe: 'Print one JSON object' })
}

function upOptions(yargs: Argv): Argv<UpOptions> {
  return folderOptions(yargs)
    .option('engine', { choices: ['mysql', 'mariadb'], describe: 'Kind of server', defaultDescription: 'mysql' })
    .option('replicas', {
      type: 'number',
      default: 2,
      requiresArg: true,
      describe: `Number of replicas, 0 to ${REPLICAS_MAX}`,
    })
    .option('semi-sync', { type: 'boolean', default: false, describe: 'Semi-synchronous replication' })
    .option('mysqld', { type: 'string', requiresArg: true, describe: 'Path of the server to run' })
    .check(({ replicas }) => {
      const isValid = Number.isInteger(replicas) && replicas >= 0 && replicas <= REPLICAS_MAX
      return isValid || `--replicas must be a number from 0 to ${REPLICAS_MAX}`
    }) as unknown as Argv<UpOptions>
}

async function up(options: UpOptions): Promise<void> {
  const { replicas, semiSync, mysqld, json } = options
  const cancel = new AbortController()
  const restore = onSignals((signal) => {
    process.exitCode = EXIT_BY_SIGNAL[signal]
    cancel.abort(new Error(`stopped by ${signal}; everything has been cleaned up`))
  })
  try {
    const cluster = await startCluster({
      engine: await chooseEngine(options),
      replicas,
      dir: folderOf(options),
      semiSync,
      mysqld,
      detached: true,
      signal: cancel.signal,
      progress: progressPrinter(process.stderr),
    })
    if (json) printJson(cluster)
    else printConnections(cluster, options)
  } finally {
    restore()
  }
}

async function status(options: FolderOptions): Promise<void> {
  const cluster = attachCluster(folderOf(options))
  if (cluster === undefined) {
    if (options.json) print(JSON.stringify({ dir: folderOf(options), servers: [] }))
    else print(`There is no sandbox in ${folderOf(options)}.`)
    process.exitCode = EXIT_FAILURE
  } else if (options.json) printJson(cluster)
  else printConnections(cluster, options)
}

async function down(options: FolderOptions): Promise<void> {
  const dir = folderOf(options)
  const cluster = attachCluster(dir)
  await cluster?.down()
  if (options.json) print(JSON.stringify({ dir, stopped: cluster?.servers.map(({ name }) => name) ?? [] }))
  else
    print(
      cluster === undefined
        ? `There is no sandbox in ${dir}.`
        : `Stopped ${cluster.servers.length} servers and removed ${dir}.`,
    )
}

/** A server that was named decides which engine it is. */
async function chooseEngine({ engine, mysqld }: UpOptions): Promise<Engine> {
  if (engine !== undefined) return engine as Engine
  return mysqld === undefined ? 'mysql' : (await askVersion([mysqld])).engine
}

function folderOf({ dir }: FolderOptions): string {
  return dir === undefined ? defaultSandboxFolder() : resolve(dir)
}

function printJson({ engine, version, dir, servers, accounts }: Cluster): void {
  const plain = servers.map((server) => {
    const { name, role, host, port, socket, serverId, pid, errorLog } = server
    return { name, role, state: server.state(), host, port, socket, serverId, pid, errorLog }
  })
  print(JSON.stringify({ engine, version, dir, servers: plain, accounts }))
}

function printConnections(cluster: Cluster, options: FolderOptions): void {
  const { app, root } = cluster.accounts
  const width = Math.max(...cluster.servers.map(({ name }) => name.length))
  const client = cluster.engine === 'mysql' ? 'mysql' : 'mariadb'
  const describe = (server: SandboxServer) =>
    `  ${server.name.padEnd(width)}  ${server.role.padEnd(7)}  ${server.state().padEnd(7)}  ` +
    `${client} -h127.0.0.1 -P${server.port} -u${app.user} -p${app.password}`
  const suffix = options.dir === undefined ? '' : ` --dir ${options.dir}`
  print(`${ENGINE_NAMES[cluster.engine]} ${cluster.version} in ${cluster.dir}`)
  print(cluster.servers.map(describe).join('\n'))
  print(`Databases: test, demo. Administrator: ${root.user}, without a password. End it: sluice sandbox down${suffix}`)
}

/** Any error becomes one line; the exit status says which kind it was. */
async function report<T>(options: T, action: (options: T) => Promise<void>): Promise<void> {
  try {
    await action(options)
  } catch (error) {
    process.stderr.write(`sluice sandbox: ${messageOf(error)}\n`)
    process.exitCode ??= EXIT_FAILURE
  }
}

function failUsage(message: string | undefined, error: Error | undefined): never {
  const line = (message ?? messageOf(error)).replace(/\s*\n\s*/g, ' ')
  process.stderr.write(`sluice sandbox: ${line}\n`)
  process.exit(EXIT_USAGE)
}

function onSignals(handle: (signal: NodeJS.Signals) => void): () => void {
  const signals = Object.keys(EXIT_BY_SIGNAL) as NodeJS.Signals[]
  for (const signal of signals) process.once(signal, handle)
  return () => {
    for (const signal of signals) process.off(signal, handle)
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
