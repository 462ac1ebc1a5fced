/**
 * How long changes of the configuration take through the admin port: `node dist/bench/control/config-load.js [--dead] [servers]
 * [rules]`, after a build. Starts a proxy with two workers; its servers are nowhere, and OFFLINE_HARD, so that nobody watches
 * them. With `--dead` they are ONLINE and watched, and refuse every connection. Prints the milliseconds of each step: on the wall, as a
 * client sees them, and of CPU, of the control plane and of its workers; at the end what watching takes.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Connection, createConnection } from 'mysql2/promise'
import { freePorts } from '../../src/sandbox/ports.js'
import { processTree } from '../system/processes.js'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))
const START_TIMEOUT_MS = 30_000
const ROWS_PER_INSERT = 500
const SINGLE_INSERTS = 1000

/** How long the watching is looked at. */
const WATCH_MS = 5000
const SAMPLES = 50

const { values: flags, positionals } = parseArgs({ options: { dead: { type: 'boolean' } }, allowPositionals: true })
const [servers = 1000, rules = 10_000] = positionals.map(Number)
const status = flags.dead === true ? 'ONLINE' : 'OFFLINE_HARD'

let proxyPid = 0

/** CPU milliseconds so far, in steps of 10. */
function cpuMs(): { readonly own: number; readonly workers: number } {
  const tree = processTree([proxyPid])
  const own = tree.find(({ pid }) => pid === proxyPid)?.cpuMicros ?? 0
  return { own: own / 1000, workers: tree.reduce((sum, process) => sum + process.cpuMicros, -own) / 1000 }
}

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const [began, before] = [performance.now(), cpuMs()]
  await work()
  const [ms, after] = [performance.now() - began, cpuMs()]
  const figures = [ms, after.own - before.own, after.workers - before.workers]
  process.stdout.write(`${what.padEnd(56)}${figures.map((figure) => figure.toFixed(0).padStart(8)).join('')}\n`)
}

async function connectWhenUp(port: number, child: ChildProcess): Promise<Connection> {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    try {
      return await createConnection({ host: '127.0.0.1', port, user: 'admin', password: 'admin' })
    } catch (error) {
      if (performance.now() > deadline || child.exitCode !== null) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** Inserts `count` rows, `rowsPerInsert` with each statement. */
async function insert(
  admin: Connection,
  into: string,
  count: number,
  rowsPerInsert: number,
  row: (at: number) => string,
) {
  for (let first = 0; first < count; first += rowsPerInsert) {
    const values = Array.from({ length: Math.min(rowsPerInsert, count - first) }, (_, at) => row(first + at))
    await admin.query(`INSERT INTO ${into} VALUES ${values.join(', ')}`)
  }
}

async function measure(admin: Connection): Promise<void> {
  await timed(`INSERT of ${servers} servers`, () =>
    insert(
      admin,
      'mysql_servers (hostgroup_id, hostname, port, status)',
      servers,
      ROWS_PER_INSERT,
      (at) => `(${at % 10}, '127.9.${at >> 8}.${at & 255}', 1, '${status}')`,
    ),
  )
  await timed('LOAD MYSQL SERVERS TO RUNTIME', () => admin.query('LOAD MYSQL SERVERS TO RUNTIME'))
  await timed('LOAD MYSQL SERVERS TO RUNTIME again (nothing to do)', () => admin.query('LOAD MYSQL SERVERS TO RUNTIME'))
  await timed(`INSERT of ${rules} rules, ${ROWS_PER_INSERT} with each statement`, () =>
    insert(
      admin,
      'mysql_query_rules (rule_id, active, digest, destination_hostgroup, apply)',
      rules,
      ROWS_PER_INSERT,
      (at) => `(${at + 1}, 1, '0x${(at * 7919).toString(16).padStart(16, '0')}', ${at % 10}, 1)`,
    ),
  )
  await timed('LOAD MYSQL QUERY RULES TO RUNTIME', () => admin.query('LOAD MYSQL QUERY RULES TO RUNTIME'))
  await timed('UPDATE of one rule', () => admin.query('UPDATE mysql_query_rules SET comment = 1 WHERE rule_id = 77'))
  await timed('LOAD MYSQL QUERY RULES TO RUNTIME after that', () => admin.query('LOAD MYSQL QUERY RULES TO RUNTIME'))
  await timed('UPDATE of one server, LOAD MYSQL SERVERS TO RUNTIME', async () => {
    await admin.query("UPDATE mysql_servers SET weight = 7 WHERE hostname = '127.9.0.1'")
    await admin.query('LOAD MYSQL SERVERS TO RUNTIME')
  })
  await timed('SAVE MYSQL SERVERS TO DISK', () => admin.query('SAVE MYSQL SERVERS TO DISK'))
  await timed('SAVE MYSQL QUERY RULES TO DISK', () => admin.query('SAVE MYSQL QUERY RULES TO DISK'))
  await timed(`${SINGLE_INSERTS} INSERTs of one rule each`, () =>
    insert(admin, 'mysql_query_rules (rule_id)', SINGLE_INSERTS, 1, (at) => `(${1_000_000 + at})`),
  )
}

/** What the proxy does when nothing is asked of it: CPU, and how long a client of the admin port waits for the least statement. */
async function watch(admin: Connection): Promise<void> {
  const [began, before] = [performance.now(), cpuMs()]
  const waits: number[] = []
  for (let sample = 0; sample < SAMPLES; sample++) {
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS / SAMPLES))
    const asked = performance.now()
    await admin.query('SELECT 1')
    waits.push(performance.now() - asked)
  }
  const [passedMs, after] = [performance.now() - began, cpuMs()]
  waits.sort((a, b) => a - b)
  const share = (ms: number): string => `${((100 * ms) / passedMs).toFixed(0)} %`
  const of = `control plane ${share(after.own - before.own)}, workers ${share(after.workers - before.workers)} of a core`
  const wait = `SELECT 1 takes ${waits[SAMPLES >> 1].toFixed(1)} ms, at most ${waits[SAMPLES - 1].toFixed(1)} ms`
  process.stdout.write(`then, over ${WATCH_MS / 1000} s: ${of}; ${wait}\n`)
}

const folder = mkdtempSync(join(tmpdir(), 'sluice-load-'))
const [port, adminPort] = await freePorts(2)
const configPath = join(folder, 'sluice.yaml')
const config = `listen: 127.0.0.1:${port}\nadmin: { listen: 127.0.0.1:${adminPort} }\nworkers: 2\ndatadir: data\nservers: []\n`
writeFileSync(configPath, config, { mode: 0o600 })
const child = spawn(process.execPath, [MAIN, 'start', '--config', configPath], { stdio: 'ignore' })
const exited = once(child, 'exit')
try {
  const admin = await connectWhenUp(adminPort, child)
  proxyPid = child.pid!
  process.stdout.write(`${'milliseconds'.padEnd(56)}    wall     CPU workers\n`)
  await measure(admin)
  await watch(admin)
  admin.destroy()
} finally {
  child.kill('SIGKILL')
  await exited
  rmSync(folder, { recursive: true, force: true })
}
