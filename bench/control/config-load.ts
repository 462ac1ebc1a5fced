/**
 * How long changes of the configuration take through the admin port: `node dist/bench/control/config-load.js [servers]
 * [rules]`, after a build. Starts a proxy with two workers; its servers are nowhere, and OFFLINE_HARD, so that nobody watches
 * them. Prints the milliseconds of each step, on the wall, as a client sees them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Connection, createConnection } from 'mysql2/promise'
import { freePorts } from '../../src/sandbox/ports.js'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))
const START_TIMEOUT_MS = 30_000
const ROWS_PER_INSERT = 500
const SINGLE_INSERTS = 1000

const [servers = 1000, rules = 10_000] = process.argv.slice(2).map(Number)

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const began = performance.now()
  await work()
  process.stdout.write(`${what.padEnd(60)} ${(performance.now() - began).toFixed(0).padStart(7)} ms\n`)
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
      (at) => `(${at % 10}, '127.0.0.1', ${20_000 + at}, 'OFFLINE_HARD')`,
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
    await admin.query('UPDATE mysql_servers SET weight = 7 WHERE port = 20001')
    await admin.query('LOAD MYSQL SERVERS TO RUNTIME')
  })
  await timed('SAVE MYSQL SERVERS TO DISK', () => admin.query('SAVE MYSQL SERVERS TO DISK'))
  await timed('SAVE MYSQL QUERY RULES TO DISK', () => admin.query('SAVE MYSQL QUERY RULES TO DISK'))
  await timed(`${SINGLE_INSERTS} INSERTs of one rule each`, () =>
    insert(admin, 'mysql_query_rules (rule_id)', SINGLE_INSERTS, 1, (at) => `(${1_000_000 + at})`),
  )
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
  await measure(admin)
  admin.destroy()
} finally {
  child.kill('SIGKILL')
  await exited
  rmSync(folder, { recursive: true, force: true })
}
