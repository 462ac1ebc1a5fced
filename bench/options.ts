import yargs from 'yargs'
import type { Engine } from '../src/sandbox/index.js'
import { COMPARISONS } from './comparisons/comparisons.js'
import type { Address } from './load/connection.js'
import { MEMORY_SUBJECTS } from './memory/subjects.js'
import type { PEERS } from './peers/peers.js'
import { WORKLOADS } from './workloads/index.js'

export const OWN_TARGETS = ['direct', 'raw', 'sluice'] as const
export type OwnTarget = (typeof OWN_TARGETS)[number]

export type PeerName = keyof typeof PEERS

export interface Options {
  /** Names of workloads, memory subjects and comparisons; empty with `sysbench`. */
  readonly workloads: readonly string[]
  readonly targets: readonly OwnTarget[]
  readonly against: readonly { readonly name: string; readonly address: Address; readonly pids: readonly number[] }[]
  /** Other proxies that the bench fetches and starts itself. */
  readonly peers: readonly PeerName[]
  /** undefined: what the workload has by default. */
  readonly connections: number | undefined
  /** Of comparisons: what Sluice opens to each server at most; undefined: what the comparison has by default. */
  readonly serverConnections: number | undefined
  readonly rate: number | null
  readonly rounds: number
  readonly seconds: number
  readonly warmupSeconds: number
  readonly rows: number
  /** Size of the memory workload's result sets. */
  readonly mebibytes: number
  /** Size of its INSERT; the server's max_allowed_packet must be larger. */
  readonly insertMebibytes: number
  readonly seed: number
  readonly workers: number
  readonly generators: number
  readonly engine: Engine
  readonly replicas: number
  readonly server: Address | undefined
  readonly user: string
  readonly password: string
  /** What Sluice's monitor logs in with, where `server` is given. */
  readonly monitorUser: string
  readonly monitorPassword: string
  readonly sysbench: string | undefined
  readonly toleratesErrors: boolean
  /** Where reports go; null: nowhere. */
  readonly out: string | null
  readonly label: string
}

const POSITIVE = [
  'rounds',
  'seconds',
  'rows',
  'mebibytes',
  'insert-mebibytes',
  'workers',
  'generators',
  'connections',
  'server-connections',
  'rate',
] as const

/** Reads the command line. Prints the help or what is wrong, and ends the process with status 2, where it cannot. */
export function readOptions(args: readonly string[], defaultOut: string): Options {
  const given = yargs(args)
    .scriptName('bench')
    .usage(
      '$0 [workload..]\n\nMeasures workloads directly, through a raw forwarder and through Sluice, in alternating rounds.',
    )
    .epilogue(`Workloads:\n${workloadLines().join('\n')}`)
    .option('targets', { type: 'string', default: OWN_TARGETS.join(','), describe: 'which of direct, raw, sluice' })
    .option('against', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe: 'another proxy: name=host:port',
    })
    .option('against-pid', { type: 'string', array: true, nargs: 1, default: [], describe: 'its process: name=PID' })
    .option('against-haproxy', {
      type: 'boolean',
      default: false,
      describe: "HAProxy of Debian's packages, forwarding TCP",
    })
    .option('against-router', {
      type: 'boolean',
      default: false,
      describe: 'MySQL Router of the same, forwarding and sharing',
    })
    .option('connections', { type: 'number', describe: 'default: what the workload says' })
    .option('server-connections', { type: 'number', describe: "of comparisons: Sluice's to each server at most" })
    .option('rate', { type: 'number', describe: 'operations per second (open loop)' })
    .option('rounds', { type: 'number', default: 5 })
    .option('seconds', { type: 'number', default: 5, describe: 'of each target in each round' })
    .option('warmup', { type: 'number', default: 1, describe: 'seconds before each measurement' })
    .option('rows', { type: 'number', default: 10_000, describe: 'of the data set' })
    .option('mebibytes', { type: 'number', default: 1024, describe: "size of the memory workload's result sets" })
    .option('insert-mebibytes', { type: 'number', default: 64, describe: 'size of its INSERT' })
    .option('seed', { type: 'number', describe: 'default: by the clock; it is printed' })
    .option('workers', { type: 'number', default: 1, describe: "Sluice's worker processes" })
    .option('generators', { type: 'number', default: 1, describe: 'load generator processes' })
    .option('engine', { choices: ['mysql', 'mariadb'] as const, default: 'mysql' as const })
    .option('replicas', { type: 'number', default: 0, describe: 'of the cluster started for the run' })
    .option('server', { type: 'string', describe: 'host:port of a server to use instead of starting one' })
    .option('user', { type: 'string', default: 'app' })
    .option('password', { type: 'string', default: 'app' })
    .option('monitor-user', { type: 'string', default: 'monitor', describe: "of Sluice's monitor, with --server" })
    .option('monitor-password', { type: 'string', default: 'monitor' })
    .option('sysbench', { type: 'string', describe: 'drive this sysbench script, such as oltp_point_select' })
    .option('tolerate-errors', { type: 'boolean', default: false, describe: 'count errors instead of ending' })
    .option('out', { type: 'string', default: defaultOut, defaultDescription: 'bench/results' })
    .option('no-write', { type: 'boolean', default: false, describe: 'write no report files' })
    .option('label', { type: 'string', default: '', describe: "added to the report files' names" })
    .parserConfiguration({ 'boolean-negation': false })
    .strictOptions()
    .check((argv) => {
      for (const name of POSITIVE) {
        const value = argv[name]
        if (value !== undefined && !(value > 0)) throw new Error(`--${name} must be a positive number`)
      }
      return true
    })
    .exitProcess(true)
    .parseSync()
  const workloads = given._.map(String)
  const known = new Set([
    ...WORKLOADS.map(({ name }) => name),
    ...Object.keys(MEMORY_SUBJECTS),
    ...Object.keys(COMPARISONS),
  ])
  for (const name of workloads) {
    if (!known.has(name)) throw new Error(`unknown workload ${name}; known: ${[...known].join(', ')}`)
  }
  return {
    workloads: workloads.length > 0 || given.sysbench !== undefined ? workloads : ['point-select'],
    targets: parseTargets(given.targets),
    against: parseAgainst(given.against, given['against-pid']),
    peers: (['haproxy', 'router'] as const).filter((name) => given[`against-${name}`]),
    connections: given.connections,
    serverConnections: given['server-connections'],
    rate: given.rate ?? null,
    rounds: given.rounds,
    seconds: given.seconds,
    warmupSeconds: given.warmup,
    rows: given.rows,
    mebibytes: given.mebibytes,
    insertMebibytes: given['insert-mebibytes'],
    seed: given.seed ?? Date.now() % 1_000_000,
    workers: given.workers,
    generators: given.generators,
    engine: given.engine,
    replicas: given.replicas,
    server: given.server === undefined ? undefined : parseAddress(given.server, '--server'),
    user: given.user,
    password: given.password,
    monitorUser: given['monitor-user'],
    monitorPassword: given['monitor-password'],
    sysbench: given.sysbench,
    toleratesErrors: given['tolerate-errors'],
    out: given['no-write'] ? null : given.out,
    label: given.label,
  }
}

function workloadLines(): string[] {
  const memory = Object.entries(MEMORY_SUBJECTS).map(([name, summary]) => ({ name, summary }))
  const comparisons = Object.entries(COMPARISONS).map(([name, { summary }]) => ({ name, summary }))
  return [...WORKLOADS, ...memory, ...comparisons].map(({ name, summary }) => `  ${name}: ${summary}`)
}

/** @throws Error that says what was expected */
export function parseTargets(text: string): OwnTarget[] {
  const names = text.split(',').filter((name) => name !== '')
  for (const name of names) {
    if (!OWN_TARGETS.some((own) => own === name)) {
      throw new Error(`--targets: unknown target ${name}; known: ${OWN_TARGETS.join(', ')} (others with --against)`)
    }
  }
  return OWN_TARGETS.filter((own) => names.includes(own))
}

/** `name=host:port` entries, with the processes of `name=PID` entries. */
export function parseAgainst(entries: readonly string[], pidEntries: readonly string[]): Options['against'] {
  const pairs = entries.map((entry) => splitPair(entry, '--against', 'name=host:port'))
  const pids = pidEntries.map((entry) => splitPair(entry, '--against-pid', 'name=PID'))
  for (const [name, pid] of pids) {
    if (!pairs.some(([other]) => other === name)) throw new Error(`--against-pid: there is no --against ${name}=...`)
    if (!/^\d+$/.test(pid)) throw new Error(`--against-pid: ${pid} is no process id`)
  }
  return pairs.map(([name, address]) => ({
    name,
    address: parseAddress(address, '--against'),
    pids: pids.filter(([other]) => other === name).map(([, pid]) => Number(pid)),
  }))
}

function splitPair(entry: string, option: string, expected: string): [string, string] {
  const at = entry.indexOf('=')
  if (at < 1 || at === entry.length - 1) throw new Error(`${option}: expected ${expected}, got ${entry}`)
  return [entry.slice(0, at), entry.slice(at + 1)]
}

function parseAddress(text: string, option: string): Address {
  const at = text.lastIndexOf(':')
  const port = Number(text.slice(at + 1))
  if (at < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`${option}: expected host:port, got ${text}`)
  }
  return { host: text.slice(0, at), port }
}
