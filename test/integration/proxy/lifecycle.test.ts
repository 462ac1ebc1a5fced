import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Connection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { createDatabase, sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { admin, metric, rejection, running, until, value } from './observe.js'

const SLOW = { timeout: 60_000 }
const MAIN = fileURLToPath(new URL('../../../dist/src/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'sluice-lifecycle-'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs `sluice` to its end. */
async function sluice(...args: string[]): Promise<{ status: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, out, err }
}

function fileWith(text: string): string {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.yaml`)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

/** The proxy's own configuration with some keys changed. */
function changed(proxy: RunningProxy, change: (config: Record<string, unknown>) => void): string {
  const config = parse(readFileSync(proxy.configPath, 'utf8')) as Record<string, unknown>
  change(config)
  return stringify(config)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Looks in a row at which a process has used no CPU, when it waits. */
const QUIET_LOOKS = 20

/** In clock ticks: fields 14 and 15 of /proc/PID/stat, counted behind the command's name. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** The worker that serves a client: its number is in the lower bits of the connection's id. */
const workerOf = (client: Connection) => client.threadId % 64
const logged = (proxy: RunningProxy, text: string) => proxy.log().some((line) => String(line['msg']).includes(text))

describe('the life of a proxy', () => {
  let cluster: Cluster
  let database: string

  beforeAll(async () => {
    cluster = await sharedCluster('mysql')
    database = await createDatabase(cluster)
    await cluster.execute(cluster.primary, `CREATE TABLE ${database}.notes (note VARCHAR(50))`)
    await cluster.waitForReplicas()
  })

  const insert = (note: string) => `INSERT INTO ${database}.notes VALUES ('${note}')`
  const count = async (note: string) => {
    const rows = await cluster.execute(cluster.primary, `SELECT * FROM ${database}.notes WHERE note = ?`, [note])
    return rows.length
  }
  const runningOn = async (mark: string) => {
    const numbers = await Promise.all(cluster.servers.map((server) => running(cluster, server, mark)))
    return numbers.some((n) => n > 0)
  }

  it(
    'SIGTERM: what is under way is finished, idle clients are told, nobody new is let in, status 0',
    SLOW,
    async () => {
      const proxy = await startProxy(cluster, { limits: { shutdown_timeout: 20_000 } })
      const [idle, busy, transaction] = await Promise.all([proxy.connect(), proxy.connect(), proxy.connect()])
      await transaction.query('START TRANSACTION')
      await transaction.query(insert('drained'))
      const read = value(busy, 'SELECT /* drain_mark */ SLEEP(1)')
      await until('the read to run', () => runningOn('drain_mark'))
      const told = new Promise((resolve) => idle.on('error', resolve))
      const exit = proxy.stop('SIGTERM')
      expect(await told).toMatchObject({ message: expect.stringMatching(/Server shutdown in progress|closed/) })
      await until('new clients to be refused', async () => {
        const error = await proxy.connect().then(
          () => null,
          (error: { code: string }) => error,
        )
        return error?.code === 'ECONNREFUSED'
      })
      expect(await read).toBe(0)
      await transaction.query(insert('drained'))
      await transaction.query('COMMIT')
      expect(await exit).toBe(0)
      expect(await count('drained')).toBe(2)
      expect(proxy.workerPids().filter(isAlive)).toEqual([])
    },
  )

  it('SIGTERM: who takes longer than shutdown_timeout is cut off, status 0', SLOW, async () => {
    const proxy = await startProxy(cluster, { limits: { shutdown_timeout: 300 } })
    const client = await proxy.connect()
    await client.query('START TRANSACTION')
    await client.query(insert('cut off'))
    const startedAt = performance.now()
    expect(await proxy.stop('SIGTERM')).toBe(0)
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect(await count('cut off')).toBe(0)
  })

  it('a second signal ends everything at once, status 1', SLOW, async () => {
    const proxy = await startProxy(cluster, { limits: { shutdown_timeout: 60_000 } })
    const client = await proxy.connect()
    const read = rejection(value(client, 'SELECT /* twice_mark */ SLEEP(5)'))
    await until('the read to run', () => runningOn('twice_mark'))
    const workers = proxy.workerPids()
    const exit = proxy.stop('SIGTERM')
    await until('the drain to begin', () => logged(proxy, 'SIGTERM: no new clients'))
    process.kill(proxy.pid, 'SIGINT')
    expect(await exit).toBe(1)
    await read
    expect(workers.filter(isAlive)).toEqual([])
  })

  it('a worker that dies is replaced, and the clients of the others do not notice', SLOW, async () => {
    const proxy = await startProxy(cluster, { workers: 2 })
    const clients: Connection[] = []
    const of = (worker: number) => clients.filter((client) => workerOf(client) === worker)
    await until('clients on both workers', async () => {
      clients.push(await proxy.connect())
      return of(1).length > 1 && of(2).length > 1
    })
    for (const signal of ['SIGKILL', 'SIGSEGV'] as const) {
      const before = proxy.workerPids()
      // In the order of their numbers, unless one was replaced: the log says which one it is.
      const victim = before[0]
      process.kill(victim, signal)
      await until('the worker to be replaced', async () => {
        const serving = (await proxy.metrics()).includes('sluice_workers{state="serving"} 2')
        const pids = proxy.workerPids()
        return serving && pids.length === 2 && !pids.includes(victim)
      })
      const line = proxy.log().find((line) => line['pid'] === victim && String(line['msg']).includes('ended with'))!
      const dead = Number(line['worker'])
      for (const client of of(3 - dead)) expect(await value(client, 'SELECT 42')).toBe(42)
      for (const client of of(dead)) expect((await rejection(client.query('SELECT 42'))).fatal).toBe(true)
      const gone = of(dead)
      for (const client of gone) clients.splice(clients.indexOf(client), 1)
      await until('clients on both workers', async () => {
        clients.push(await proxy.connect())
        return of(1).length > 0 && of(2).length > 0
      })
    }
    expect(await metric(proxy, 'sluice_ready')).toBe(1)
  })

  it('workers serve on without their control plane, until a new one takes over', SLOW, async () => {
    const proxy = await startProxy(cluster, { limits: { shutdown_timeout: 15_000 } })
    const [idle, transaction] = await Promise.all([proxy.connect(), proxy.connect()])
    const orphans = proxy.workerPids()
    await proxy.stop('SIGKILL')
    await until('the worker to notice', () => logged(proxy, 'the control plane is gone'))
    expect(orphans.filter(isAlive)).toEqual(orphans)
    expect(await value(idle, 'SELECT 42')).toBe(42)
    const late = await proxy.connect()
    await late.query(insert('orphaned'))
    await transaction.query('START TRANSACTION')
    await transaction.query(insert('orphaned'))

    const next = await startProxy(cluster, {
      listen: `127.0.0.1:${proxy.port}`,
      datadir: join(dirname(proxy.configPath), 'data'),
    })
    expect(logged(next, 'the last control plane died; its workers')).toBe(true)
    // The old worker finishes what is under way while the new one serves.
    const fresh = await proxy.connect()
    expect(await value(fresh, 'SELECT 42')).toBe(42)
    await transaction.query('COMMIT')
    await until('the old worker to end', () => orphans.filter(isAlive).length === 0)
    expect(await count('orphaned')).toBe(2)
    expect(await value(fresh, 'SELECT 42')).toBe(42)
    expect(await next.stop()).toBe(0)
  })

  it('a worker that has not begun to serve ends with its control plane, and says so in one line', SLOW, async () => {
    const proxy = await startProxy(cluster, { workers: 2 })
    const [victim, other] = proxy.workerPids()
    process.kill(victim, 'SIGKILL')
    const starting = await until('another worker to start', () => {
      const pid = proxy.workerPids().find((one) => one !== victim && one !== other)
      // Nobody tells it now with what it is to serve.
      if (pid !== undefined) process.kill(proxy.pid, 'SIGSTOP')
      return pid
    })
    let [used, quiet] = [-1, 0]
    await until('it to wait', () => {
      const before = used
      used = cpuOf(starting)
      quiet = used === before ? quiet + 1 : 0
      return quiet === QUIET_LOOKS
    })
    await proxy.stop('SIGKILL')
    await until('it to end', () => !isAlive(starting))
    expect(isAlive(other)).toBe(true)
    expect(logged(proxy, 'gone before this worker served')).toBe(true)
    expect(logged(proxy, 'ends by an error in Sluice')).toBe(false)
    expect(await value(await proxy.connect(), 'SELECT 42')).toBe(42)
  })

  it('SIGHUP: users, servers and limits change while clients go on; a wrong file changes nothing', SLOW, async () => {
    const proxy = await startProxy(cluster, { pass_through: { enabled: false } })
    const client = await proxy.connect()
    const { user, password } = cluster.accounts.monitor
    await expect(proxy.connect({ user, password })).rejects.toMatchObject({ errno: 1045 })
    const [replica] = cluster.replicas
    const good = changed(proxy, (config) => {
      const users = config['users'] as object[]
      users.push({ name: user, password })
      const servers = config['servers'] as Record<string, unknown>[]
      config['servers'] = servers.filter((server) => server['port'] !== replica.port)
      config['limits'] = { max_allowed_packet: 2048 }
    })
    const reload = (text: string) => {
      writeFileSync(proxy.configPath, text)
      process.kill(proxy.pid, 'SIGHUP')
    }
    reload(good)
    const monitor = await until('the new user', () => proxy.connect({ user, password }).catch(() => null))
    expect(await value(monitor, 'SELECT 42')).toBe(42)
    const ports = async () =>
      (await admin(proxy, 'SELECT port FROM runtime_mysql_servers')).map((row) => Number(row['port']))
    await until('the server to be gone', async () => !(await ports()).includes(replica.port))
    for (let i = 0; i < 5; i++) expect(await value(client, 'SELECT @@port')).not.toBe(replica.port)
    expect(await rejection(monitor.query(`SELECT '${'x'.repeat(3000)}'`))).toMatchObject({ errno: 1153 })

    for (const bad of [`${good}\nnonsense: 1\n`, 'servers: {}', '}{']) {
      const lines = proxy.log().length
      reload(bad)
      await until('the refusal', () =>
        proxy
          .log()
          .slice(lines)
          .some((line) => String(line['msg']).startsWith('configuration not changed: ')),
      )
    }
    expect(await value(await proxy.connect({ user, password }), 'SELECT 42')).toBe(42)

    reload(good.replace('workers: 1', 'workers: 2'))
    await until('the warning', () => logged(proxy, 'workers changed: this needs a restart'))
    reload(good.replace(/name: monitor/, 'name: nobody'))
    await until('the user to be gone', () =>
      proxy.connect({ user, password }).then(
        () => false,
        () => true,
      ),
    )
    expect(await value(client, 'SELECT 42')).toBe(42)
  })

  it('no password is ever logged, neither a right one nor one that was tried', SLOW, async () => {
    const secrets = ['right-horse-battery', 'wrong-staple', 'admin-paper-clip', 'statement-stapler']
    const account = `secret_${database}`.slice(0, 30)
    await cluster.execute(cluster.primary, `CREATE USER '${account}'@'%' IDENTIFIED BY '${secrets[0]}'`)
    await cluster.waitForReplicas()
    process.env['SLUICE_LOG_LEVEL'] = 'trace'
    const proxy = await startProxy(cluster, {
      users: [{ name: account, password: secrets[0] }],
      admin: { users: { admin: 'admin', other: secrets[2] } },
    }).finally(() => {
      delete process.env['SLUICE_LOG_LEVEL']
    })
    const client = await proxy.connect({ user: account, password: secrets[0] })
    await client.query(`SET @secret = '${secrets[3]}'`)
    await rejection(client.query(`ALTER USER CURRENT_USER() IDENTIFIED BY '${secrets[3]}' NONSENSE`))
    await rejection(proxy.connect({ user: account, password: secrets[1] }))
    process.kill(proxy.pid, 'SIGHUP')
    await until('the reload', () => logged(proxy, 'configuration read again'))
    await proxy.stop()
    const text = proxy
      .log()
      .map((line) => JSON.stringify(line))
      .join('\n')
    expect(text).toContain('login refused')
    for (const secret of secrets) expect(text).not.toContain(secret)
    expect(text).not.toContain('PRIVATE KEY')
  })
})

describe('a configuration that is wrong', () => {
  const server = '{ host: 127.0.0.1, port: 3306 }'

  it.each<[string, string, RegExp]>([
    ['an unknown key', `servers: [${server}]\nserverz: 1\n`, /:2: serverz: unknown key; did you mean "servers"\?/],
    ['a server twice', `servers: [${server}, ${server}]`, /127\.0\.0\.1:3306 is already in hostgroup 0/],
    ['a variable that is not set', `servers: [{ host: "\${SLUICE_TEST_UNSET}" }]`, /SLUICE_TEST_UNSET/],
    ['no YAML', 'servers: [', /\.yaml:1: Flow sequence/],
    [
      'the same address twice',
      `listen: 127.0.0.1:7001\nadmin: { listen: 127.0.0.1:7001 }\nservers: [${server}]`,
      /already used/,
    ],
  ])('%s: one line that names file and key, status 2', async (_name, text, expected) => {
    const path = fileWith(text)
    const { status, out, err } = await sluice('start', '--config', path)
    expect(err.trimEnd().split('\n')).toHaveLength(1)
    expect(err).toContain(path)
    expect(err).toMatch(expected)
    expect({ status, out }).toEqual({ status: 2, out: '' })
  })

  it.each(['listen', 'admin', 'metrics'])(
    '%s on a port that is in use: the same, and nothing was started',
    async (key) => {
      const holder = createServer().listen(0, '127.0.0.1')
      await once(holder, 'listening')
      const address = `127.0.0.1:${(holder.address() as { port: number }).port}`
      const config = { listen: '127.0.0.1:0', [key]: key === 'listen' ? address : { listen: address } }
      const text = stringify({ ...config, datadir: folder, servers: [{ host: '127.0.0.1', port: 1 }] })
      const { status, err } = await sluice('start', '--config', fileWith(text))
      holder.close()
      const lines = err.trimEnd().split('\n')
      expect(lines.at(-1)).toMatch(new RegExp(`${key}.*${address}`))
      expect(lines.filter((line) => line.startsWith('sluice: '))).toHaveLength(1)
      expect(status).toBe(2)
    },
  )

  it('no file, no command, an unknown flag: status 2', async () => {
    expect(await sluice('start', '--config', join(folder, 'none'))).toMatchObject({ status: 2, err: /no such file/ })
    for (const args of [[], ['start', '--nonsense'], ['nonsense']]) expect((await sluice(...args)).status).toBe(2)
  })
})

describe.each<Engine>(['mysql', 'mariadb'])('tools in front of %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    proxy = await startProxy(cluster)
  })

  it('check: 0 and no problem for a cluster that is well', SLOW, async () => {
    const { status, out } = await sluice('check', '--config', proxy.configPath)
    expect(out).toMatch(/^ok +.*the configuration is valid$/m)
    expect(status).toBe(0)
    const json = await sluice('check', '--json', '--config', proxy.configPath)
    expect(JSON.parse(json.out)).toMatchObject({ ok: true })
  })

  it.each<[string, (config: Record<string, unknown>) => void, RegExp]>([
    [
      'a server that is not there',
      (c) => (c['servers'] as object[]).push({ host: '127.0.0.1', port: 1, hostgroup: 1 }),
      /127\.0\.0\.1:1\b/,
    ],
    ["the monitor's password is wrong", (c) => (c['monitor'] = { user: 'monitor', password: 'no' }), /monitor/],
    ["a user's password is wrong", (c) => (c['users'] = [{ name: 'app', password: 'no' }]), /app/],
    [
      'nobody who can be written to',
      (c) => {
        c['servers'] = (c['servers'] as Record<string, unknown>[]).filter((server) => server['hostgroup'] === 1)
      },
      /no server is writable/,
    ],
  ])('check: 1 and the reason for %s', SLOW, async (_name, change, expected) => {
    const { status, out } = await sluice('check', '--config', fileWith(changed(proxy, change)))
    expect(out).toMatch(expected)
    expect(status).toBe(1)
  })

  it('the admin port counts what was sent, per server, and metrics say the same', SLOW, async () => {
    const sum = async () => {
      const rows = await admin(proxy, 'SELECT hostgroup, srv_port, Queries FROM stats_mysql_connection_pool')
      return new Map(rows.map((row) => [`${row['hostgroup']} ${row['srv_port']}`, Number(row['Queries'])]))
    }
    const before = await sum()
    const client = await proxy.connect()
    const total = (from: Map<string, number>, hostgroup: string) =>
      [...from].filter(([key]) => key.startsWith(`${hostgroup} `)).reduce((all, [, n]) => all + n, 0)
    for (let i = 0; i < 20; i++) await client.query('SELECT 1')
    for (let i = 0; i < 7; i++) await client.query('SELECT 1 FOR UPDATE')
    await until('the counters', async () => {
      const now = await sum()
      return total(now, '1') - total(before, '1') === 20 && total(now, '0') - total(before, '0') === 7
    })
    const [{ n }] = await admin(proxy, 'SELECT SUM(Queries) AS n FROM stats_mysql_connection_pool')
    expect(await metric(proxy, 'sluice_queries_total')).toBe(Number(n))
    const used = await admin(
      proxy,
      'SELECT hostgroup, SUM(ConnUsed + ConnFree) AS n FROM stats_mysql_connection_pool GROUP BY hostgroup ORDER BY hostgroup',
    )
    // They wait for whoever comes next.
    expect(used.map(({ hostgroup }) => hostgroup)).toEqual(['0', '1'])
    for (const { n } of used) expect(Number(n)).toBeGreaterThan(0)
  })

  it('a statement that runs is a row of the process list, with its text and its server', SLOW, async () => {
    const client = await proxy.connect()
    const replicas = cluster.replicas.map(({ port }) => port)
    await until('a replica to be read', async () => replicas.includes(Number(await value(client, 'SELECT @@port'))))
    const text = `SELECT /* listed_${engine} */ SLEEP(1)`
    const read = client.query(text)
    const rows = () => admin(proxy, `SELECT * FROM stats_mysql_processlist WHERE info LIKE '%listed_${engine}%'`)
    const [row] = await until('the row', async () => {
      const found = await rows()
      return found.length > 0 && found[0]['srv_port'] !== '0' ? found : null
    })
    expect(row).toMatchObject({ user: 'app', command: 'Query', info: text, hostgroup: '1' })
    expect(cluster.replicas.map(({ port }) => String(port))).toContain(row['srv_port'])
    expect(Number(row['SessionID'])).toBe(client.threadId)
    await read
    expect(await rows()).toEqual([])
  })

  it('explain says class, place and reason', async () => {
    const read = await sluice('explain', 'SELECT 1', '--config', proxy.configPath, '--flavor', engine, '--json')
    expect(JSON.parse(read.out)).toMatchObject({ class: 'read', hostgroup: 1, reason: 'it only reads' })
    const write = await sluice('explain', 'DELETE FROM t', '--config', proxy.configPath, '--flavor', engine)
    expect(write.out).toMatch(/class +write/)
    expect(write.out).toContain(`127.0.0.1:${cluster.primary.port}`)
    expect(write.status).toBe(0)
  })
})
