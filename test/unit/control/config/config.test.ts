// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the file's own references look like this
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../../src/control/config/config.js'
import { UsageError } from '../../../../src/shared/errors.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'))
const file = join(folder, 'sluice.yaml')
afterAll(() => rmSync(folder, { recursive: true }))

const ENV = { HOME: '/home/somebody', PORT: '3310', SECRET: 's3cret', EMPTY: '' }

function load(text: string, env: NodeJS.ProcessEnv = ENV) {
  writeFileSync(file, text)
  chmodSync(file, 0o640)
  return loadConfig(file, env)
}

/** The message of the error, without the folder of the file. */
function problem(text: string, env: NodeJS.ProcessEnv = ENV): string {
  try {
    load(text, env)
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    const { message } = error as UsageError
    expect(message.split('\n')).toHaveLength(1)
    return message.replaceAll(`${folder}/`, '')
  }
  throw new Error('the configuration was accepted')
}

const SMALLEST = 'servers: [ { host: db1 } ]'

const FULL = `
listen: [ 127.0.0.1:6033, "[::1]:6034", unix:/run/sluice.sock ]
workers: 3
admin:   { listen: 127.0.0.1:6032, users: { admin: admin } }
metrics: { listen: 127.0.0.1:6070 }
monitor: { user: monitor, password: monitor, ping_interval: 700 }
servers:
  - { host: 127.0.0.1, port: 3307, hostgroup: 0 }
  - { host: 127.0.0.1, port: 3308, hostgroup: 1, compression: ZSTD, weight: 100, max_replication_lag: 10 }
  - { host: unix:/run/mysqld.sock, hostgroup: 1, use_ssl: true, status: offline_soft, comment: "the local one" }
replication_hostgroups:
  - { writer: 0, reader: 1 }
users:
  - { name: app, password: 0123, default_schema: shop }
limits: { max_connections: 50, shutdown_timeout: 0 }
`

describe('a configuration', () => {
  it('has every default when it names a server only', () => {
    const config = load(SMALLEST)
    expect(config).toMatchObject({
      listen: [{ host: '127.0.0.1', port: 6033 }],
      admin: null,
      metrics: null,
      api: null,
      monitor: { user: 'monitor', pingMaxFailures: 3, replicationLagIntervalMs: 250 },
      servers: [{ id: 'db1:3306', hostgroup: 0, weight: 1, maxConnections: 1000, status: 'ONLINE' }],
      users: [],
      datadir: '/home/somebody/.local/state/sluice',
      tls: { mode: 'preferred', cert: null, key: null, ca: null },
      proxyProtocolNetworks: [],
      compressionAlgorithms: ['zlib', 'zstd', 'uncompressed'],
      limits: { maxConnections: 10_000, waitTimeoutMs: 28_800_000, maxAllowedPacket: 64 << 20 },
    })
    expect(config.workers).toBeGreaterThanOrEqual(1)
  })

  it('is read as it is written', () => {
    const config = load(FULL)
    expect(config.listen).toEqual([
      { host: '127.0.0.1', port: 6033 },
      { host: '::1', port: 6034 },
      { path: '/run/sluice.sock' },
    ])
    expect(config.workers).toBe(3)
    expect(config.admin).toEqual({
      listen: [{ host: '127.0.0.1', port: 6032 }],
      users: { admin: 'admin' },
      statsUsers: ['stats'],
    })
    expect(config.metrics).toEqual({ listen: { host: '127.0.0.1', port: 6070 } })
    expect(config.monitor.pingIntervalMs).toBe(700)
    expect(config.servers.map(({ id }) => id)).toEqual(['127.0.0.1:3307', '127.0.0.1:3308', '/run/mysqld.sock'])
    expect(config.servers[2]).toMatchObject({
      host: '/run/mysqld.sock',
      port: 0,
      tls: { mode: 'required' },
      status: 'OFFLINE_SOFT',
    })
    expect(config.servers.map(({ compression }) => compression)).toEqual(['off', 'zstd', 'off'])
    expect(config.replicationHostgroups).toEqual([{ writer: 0, reader: 1 }])
    expect(config.limits).toMatchObject({ maxConnections: 50, shutdownTimeoutMs: 0, handshakeTimeoutMs: 10_000 })
    expect(config.warnings).toEqual([])
  })

  it('keeps texts as they are written: a password of digits stays a text', () => {
    expect(load(FULL).users[0]).toMatchObject({
      name: 'app',
      password: '0123',
      defaultSchema: 'shop',
      defaultHostgroup: 0,
    })
  })

  it('may have no servers yet, which is warned about', () => {
    const config = load(
      'servers: []\nreplication_hostgroups: [ { writer: 0, reader: 1 } ]\nusers: [ { name: app, password: x } ]',
    )
    expect(config.servers).toEqual([])
    expect(config.warnings).toEqual([expect.stringContaining('there are no servers')])
  })

  it('may use anchors and leave keys empty', () => {
    const config = load('servers: [ &one { host: db1, weight: 7 } ]\nadmin:\nmetrics: ~\nusers: null')
    expect(config).toMatchObject({ admin: null, metrics: null, users: [] })
  })

  it('puts the datadir beside the file, or where XDG_STATE_HOME says', () => {
    expect(load(`${SMALLEST}\ndatadir: state`).datadir).toBe(join(folder, 'state'))
    expect(load(SMALLEST, { XDG_STATE_HOME: '/var/state' }).datadir).toBe('/var/state/sluice')
  })

  it('that other users of the machine may read is warned about when it holds passwords itself', () => {
    load(FULL)
    chmodSync(file, 0o644)
    expect(loadConfig(file, ENV).warnings).toEqual([expect.stringContaining('chmod 640')])
    load(`${SMALLEST}\nusers: [ { name: app, password: ${'${SECRET}'} } ]`)
    chmodSync(file, 0o644)
    expect(loadConfig(file, ENV).warnings).toEqual([])
  })
})

describe('environment variables', () => {
  it('stand for whole values and parts of them, numbers too', () => {
    const config = load(
      'servers: [ { host: "db-${PORT}.local", port: ${PORT} } ]\nmonitor: { password: "${SECRET}${EMPTY}!" }\nlisten: ${LISTEN}',
      { ...ENV, LISTEN: '0.0.0.0:7000' },
    )
    expect(config.servers[0]).toMatchObject({ host: 'db-3310.local', port: 3310 })
    expect(config.monitor.password).toBe('s3cret!')
    expect(config.listen).toEqual([{ host: '0.0.0.0', port: 7000 }])
  })

  it('are not looked for in their own values, nor after $$', () => {
    const config = load('servers: [ { host: db1, comment: "$${PORT} ${NESTED}" } ]', { ...ENV, NESTED: '${SECRET}' })
    expect(config.servers[0].comment).toBe('${PORT} ${SECRET}')
  })

  it.each([
    [
      'servers: [ { host: "${NOWHERE}" } ]',
      'sluice.yaml:1: servers[0].host: the environment variable NOWHERE is not set',
    ],
    [
      'servers: [ { host: "${no-name}" } ]',
      'sluice.yaml:1: servers[0].host: expected the name of an environment variable and "}" after "${" (write "$${" for a plain "${")',
    ],
    [
      'servers: [ { host: db1, port: "${SECRET}" } ]',
      'sluice.yaml:1: servers[0].port: expected a whole number from 1 to 65535, got the value of "${SECRET}"',
    ],
  ])('%s -> %s', (text, message) => {
    expect(problem(text)).toBe(message)
  })
})

describe('a mistake is told in one line with file, line, key and what was expected', () => {
  it.each([
    ['', 'sluice.yaml:1: servers: expected a list, got nothing'],
    ['servers: {}', 'sluice.yaml:1: servers: expected a list, got a map'],
    ['- servers', 'sluice.yaml:1: expected a map of keys, got a list'],
    [`${SMALLEST}\nlisen: 1:2`, 'sluice.yaml:2: lisen: unknown key; did you mean "listen"?'],
    ['servers:\n  - host: db1\n    wieght: 3', 'sluice.yaml:3: servers[0].wieght: unknown key; did you mean "weight"?'],
    [
      'servers:\n  - { host: db1 }\n  - { host: db2,\n      weight: heavy }',
      'sluice.yaml:4: servers[1].weight: expected a whole number from 0 to 10000000, got "heavy"',
    ],
    [
      'servers:\n  - host: db1\n    weight: [ 1 ]',
      'sluice.yaml:3: servers[0].weight: expected a whole number from 0 to 10000000, got a list',
    ],
    [
      'servers:\n  - port: 3306',
      'sluice.yaml:2: servers[0].host: expected a host name, an IP address or unix:/path, got nothing',
    ],
    [`${SMALLEST}\nworkers: 65`, 'sluice.yaml:2: workers: expected auto or a whole number from 1 to 64, got "65"'],
    [`${SMALLEST}\nlisten: 6033`, 'sluice.yaml:2: listen: expected host:port, [ipv6]:port or unix:/path, got "6033"'],
    [
      `${SMALLEST}\nlisten: ::1:6033`,
      'sluice.yaml:2: listen: expected host:port, [ipv6]:port or unix:/path, got "::1:6033"',
    ],
    [
      'servers: [ { host: db1 }, { host: DB1 } ]',
      'sluice.yaml:1: servers[1]: DB1:3306 is already in hostgroup 0 (servers[0])',
    ],
    [
      `${SMALLEST}\nreplication_hostgroups: [ { writer: 0, reader: 0 } ]`,
      "sluice.yaml:2: replication_hostgroups[0].reader: expected another hostgroup than the writer's, got 0",
    ],
    [
      `${SMALLEST}\nreplication_hostgroups: [ { writer: 0, reader: 1 }, { writer: 2, reader: 1 } ]`,
      'sluice.yaml:2: replication_hostgroups[1].reader: hostgroup 1 is already used by replication_hostgroups[0].reader',
    ],
    [
      `${SMALLEST}\nreplication_hostgroups:\n  - { writer: 5, reader: 6 }`,
      'sluice.yaml:3: replication_hostgroups[0]: no server is in hostgroup 5 or 6',
    ],
    [
      `${SMALLEST}\nusers: [ { name: app, password: x, default_hostgroup: 9 } ]`,
      'sluice.yaml:2: users[0].default_hostgroup: no server is in hostgroup 9',
    ],
    [
      `${SMALLEST}\nusers:\n  - { name: app, password: x }\n  - { name: app, password: y }`,
      'sluice.yaml:4: users[1].name: user "app" is already in users[0]',
    ],
    [`${SMALLEST}\nusers: [ { name: app } ]`, 'sluice.yaml:2: users[0]: expected either password or password_hash'],
    [
      `${SMALLEST}\nusers: [ { name: app, password: { a: hunter2 } } ]`,
      'sluice.yaml:2: users[0].password: expected a text, got a map',
    ],
    [
      `${SMALLEST}\nlisten:\n  - 127.0.0.1:1\n  - nowhere`,
      'sluice.yaml:4: listen[1]: expected host:port, [ipv6]:port or unix:/path, got "nowhere"',
    ],
    [`${SMALLEST}\nlisten: []`, 'sluice.yaml:2: listen: expected a list of at least 1, got a list'],
    [
      `${SMALLEST}\nadmin: { listen: 127.0.0.1:6033 }`,
      'sluice.yaml:2: admin.listen: 127.0.0.1:6033 is already used by listen',
    ],
    [`${SMALLEST}\n${SMALLEST}`, 'sluice.yaml:2: Map keys must be unique'],
    ['servers: [ { host: db1 }', /^sluice\.yaml:\d+: .*\]/],
    ['servers:\n\t- host: db1', /^sluice\.yaml:2: Tabs are not allowed/],
    [
      `${SMALLEST}\nlimits: { max_conections: 5 }`,
      'sluice.yaml:2: limits.max_conections: unknown key; did you mean "max_connections"?',
    ],
    [`${SMALLEST}\ntls: { cert: a.pem }`, 'sluice.yaml:2: tls.key: expected the key of tls.cert, got nothing'],
  ])('%j', (text, message) => {
    if (typeof message === 'string') expect(problem(text)).toBe(message)
    else expect(problem(text)).toMatch(message)
  })

  it('the topmost of several mistakes comes first', () => {
    expect(problem('workers: none\nservers: [ { host: db1, port: x } ]\nlisen: 5')).toMatch(/^sluice\.yaml:1: workers/)
  })

  it('nothing secret is in it', () => {
    const message = problem(`${SMALLEST}\nadmin: { users: [ hunter2 ] }\n`)
    expect(message).toBe('sluice.yaml:2: admin.users: expected a map of names and passwords, got a list')
  })

  it('a file that is missing, a folder or no text says so', () => {
    const at = (path: string) => () => loadConfig(path, ENV)
    expect(at(join(folder, 'none.yaml'))).toThrow(`${folder}/none.yaml: no such file`)
    expect(at(folder)).toThrow(`${folder}: expected a file`)
    writeFileSync(join(folder, 'latin1.yaml'), Buffer.from([0x61, 0xff, 0xfe]))
    expect(at(join(folder, 'latin1.yaml'))).toThrow('latin1.yaml: expected UTF-8 text')
  })
})
