import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseDocument } from 'yaml'
import { loadConfig } from '../../../../src/control/config/config.js'
import { configText } from '../../../../src/control/config-store/config-text.js'
import type { ConfigStore } from '../../../../src/control/config-store/store.js'
import { UsageError } from '../../../../src/shared/errors.js'
import { edit, StoreFixture } from './store-fixture.js'

const FILE = `
servers:
  - { host: db1, hostgroup: 0 }
  - { host: db2, hostgroup: 1, weight: 7 }
replication_hostgroups: [ { writer: 0, reader: 1 } ]
users: [ { name: app, password: secret } ]
admin: { users: { admin: "s3cret;x", stats: stats } }
limits: { max_connections: 50 }
`

let fixture: StoreFixture
let store: ConfigStore

beforeEach(() => {
  fixture = new StoreFixture()
  fixture.write(FILE)
  store = fixture.open()
})
afterEach(() => fixture.remove())

const weights = (of: ConfigStore, layer: 'memory' | 'runtime' | 'disk') =>
  of[layer]
    .table('mysql_servers')
    .all()
    .map((row) => row['weight'])
const setWeight = (weight: number | string) =>
  edit(store, 'mysql_servers', (rows) => rows.map((row) => ({ ...row, weight })))
const problem = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => new Error('no error'),
    (reason: Error) => reason,
  )
  expect(error).toBeInstanceOf(UsageError)
  return error.message
}

describe('the three layers', () => {
  it('begin with the file in memory and runtime, and nothing on disk', () => {
    expect(weights(store, 'memory')).toEqual([1, 7])
    expect(weights(store, 'runtime')).toEqual([1, 7])
    expect(weights(store, 'disk')).toEqual([])
    expect(store.config).toEqual(loadConfig(fixture.path, {}))
  })

  it('are joined by LOAD and SAVE, each of which changes its own target alone', async () => {
    await setWeight(3)
    expect([weights(store, 'memory'), weights(store, 'runtime')]).toEqual([
      [3, 3],
      [1, 7],
    ])
    await store.loadToRuntime('MYSQL SERVERS')
    expect(fixture.applied.at(-1)?.servers.map(({ weight }) => weight)).toEqual([3, 3])
    expect([weights(store, 'runtime'), weights(store, 'disk')]).toEqual([[3, 3], []])
    await store.saveToDisk('MYSQL SERVERS')
    await setWeight(9)
    await store.loadFromDisk('MYSQL SERVERS')
    expect(weights(store, 'memory')).toEqual([3, 3])
    await setWeight(9)
    await store.saveToMemory('MYSQL SERVERS')
    expect(weights(store, 'memory')).toEqual([3, 3])
    await store.loadFromFile('MYSQL SERVERS')
    expect(weights(store, 'memory')).toEqual([1, 7])
    expect(weights(store, 'runtime')).toEqual([3, 3])
  })

  it('do nothing for a LOAD of what is in force, and count those that change something', async () => {
    await store.loadToRuntime('MYSQL SERVERS')
    expect(fixture.applied).toEqual([])
    expect(store.versionOf('MYSQL SERVERS').version).toBe(1)
    await setWeight(2)
    await store.loadToRuntime('MYSQL USERS')
    await store.loadToRuntime('MYSQL SERVERS')
    expect(fixture.applied).toHaveLength(1)
    expect(store.versionOf('MYSQL SERVERS').version).toBe(2)
    expect(store.versionOf('MYSQL USERS').version).toBe(1)
  })

  it('name workers that did not answer in time', async () => {
    fixture.late = [2]
    await setWeight(2)
    expect(await store.loadToRuntime('MYSQL SERVERS')).toEqual([expect.stringContaining('worker 2 did not answer')])
  })
})

describe('a LOAD that is refused', () => {
  it.each([
    [
      'mysql_servers',
      { weight: 'heavy' },
      'mysql_servers (0, \'db1\', 3306), column weight: expected a whole number from 0 to 10000000, got "heavy"',
    ],
    [
      'mysql_servers',
      { port: 0 },
      'mysql_servers (0, \'db1\', 0), column port: expected a whole number from 1 to 65535, got "0"',
    ],
    [
      'mysql_servers',
      { gtid_port: 5 },
      'mysql_servers (0, \'db1\', 3306), column gtid_port: expected 0, got "5": Sluice reads the GTIDs of the servers itself',
    ],
    [
      'mysql_servers',
      { use_ssl: 0, ssl_mode: 'verify_ca' },
      "mysql_servers (0, 'db1', 3306), column ssl_mode: expected use_ssl 1 next to verify_ca, got 0",
    ],
    [
      'mysql_servers',
      { use_ssl: 1, ssl_mode: 'verify_ca' },
      "mysql_servers (0, 'db1', 3306), column ssl_ca: expected a file with the authorities for ssl_mode verify_ca, here or in backend_tls",
    ],
    [
      'mysql_servers',
      { hostgroup_id: 1, hostname: 'DB2' },
      "mysql_servers (1, 'db2', 3306): db2:3306 is already in hostgroup 1 (mysql_servers (1, 'DB2', 3306))",
    ],
    [
      'mysql_replication_hostgroups',
      { reader_hostgroup: 0 },
      "mysql_replication_hostgroups (0), column reader_hostgroup: expected another hostgroup than the writer's, got 0",
    ],
    [
      'mysql_replication_hostgroups',
      { check_type: 'read_only&innodb_read_only' },
      'mysql_replication_hostgroups (0), column check_type: expected read_only or',
    ],
    ['mysql_users', { fast_forward: 1 }, "mysql_users ('app'), column fast_forward: expected 0"],
    [
      'mysql_users',
      { username: 'x'.repeat(33) },
      `mysql_users ('${'x'.repeat(33)}'), column username: expected a user name`,
    ],
    [
      'mysql_users',
      { consistency: 'perfect' },
      'mysql_users (\'app\'), column consistency: expected eventual, session, token, global or strong, got "perfect"',
    ],
  ])('names row and column of %s %j, and leaves the runtime as it was', async (table, change, message) => {
    await edit(store, table, ([first, ...rest]) => [{ ...first, ...change }, ...rest])
    const section = table === 'mysql_users' ? 'MYSQL USERS' : 'MYSQL SERVERS'
    expect(await problem(store.loadToRuntime(section))).toContain(message)
    expect(fixture.applied).toEqual([])
    expect(weights(store, 'runtime')).toEqual([1, 7])
  })

  it('refuses group replication hostgroups that are in use, and takes those that are not', async () => {
    const row = {
      writer_hostgroup: 0,
      backup_writer_hostgroup: 5,
      reader_hostgroup: 1,
      offline_hostgroup: 6,
      active: 1,
    }
    await edit(store, 'mysql_group_replication_hostgroups', () => [row])
    expect(await problem(store.loadToRuntime('MYSQL SERVERS'))).toContain(
      'mysql_group_replication_hostgroups (0), column active: expected 0',
    )
    await edit(store, 'mysql_group_replication_hostgroups', () => [{ ...row, active: 0 }])
    await store.loadToRuntime('MYSQL SERVERS')
  })

  it('leaves the runtime as it was when files cannot be used', async () => {
    fixture.refusal = new UsageError('tls.cert: no such file')
    await setWeight(3)
    expect(await problem(store.loadToRuntime('MYSQL SERVERS'))).toBe('tls.cert: no such file')
    expect(weights(store, 'runtime')).toEqual([1, 7])
  })
})

describe('rows', () => {
  it('without servers, or with users of hostgroups that come later, are taken with a warning', async () => {
    await edit(store, 'mysql_servers', () => [])
    expect(await store.loadToRuntime('MYSQL SERVERS')).toEqual([expect.stringContaining('there are no servers')])
    await store.loadFromFile('MYSQL SERVERS')
    await store.loadToRuntime('MYSQL SERVERS')
    await edit(store, 'mysql_users', ([app]) => [{ ...app, default_hostgroup: 9 }])
    expect(await store.loadToRuntime('MYSQL USERS')).toEqual([
      "mysql_users ('app'), column default_hostgroup: no server is in hostgroup 9",
    ])
  })

  it('have ProxySQL’s meaning: SHUNNED is the monitor’s word, inactive users are refused, two rows are two sides', async () => {
    await edit(store, 'mysql_servers', (rows) => rows.map((row) => ({ ...row, status: 'SHUNNED', max_connections: 0 })))
    await store.loadToRuntime('MYSQL SERVERS')
    expect(fixture.applied.at(-1)?.servers[0]).toMatchObject({ status: 'ONLINE', maxConnections: 0 })
    await edit(store, 'mysql_users', ([app]) => [
      { ...app, backend: 0, password: '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19' },
      { ...app, frontend: 0, password: 'other' },
      { ...app, username: 'old', active: 0, password: null },
    ])
    await store.loadToRuntime('MYSQL USERS')
    expect(fixture.applied.at(-1)?.users).toMatchObject([
      {
        name: 'app',
        passwordHash: '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19',
        backendUser: 'app',
        backendPassword: 'other',
      },
      { name: 'old', active: false, password: '' },
    ])
  })

  it('of one user are loaded alone', async () => {
    await edit(store, 'mysql_users', ([app]) => [
      { ...app, max_connections: 5 },
      { ...app, username: 'two' },
    ])
    await store.loadUserToRuntime('two')
    expect(fixture.applied.at(-1)?.users.map(({ name, maxConnections }) => [name, maxConnections])).toEqual([
      ['app', 0],
      ['two', 0],
    ])
    await edit(store, 'mysql_users', ([app]) => [app])
    await store.loadUserToRuntime('two')
    expect(fixture.applied.at(-1)?.users.map(({ name }) => name)).toEqual(['app'])
  })

  it('are a configuration file that says the same again', () => {
    const text = configText(store, 'shown')
    expect(parseDocument(text).errors).toEqual([])
    writeFileSync(join(fixture.folder, 'again.yaml'), text, { mode: 0o600 })
    const again = loadConfig(join(fixture.folder, 'again.yaml'), {})
    expect({ ...again, path: '', admin: null }).toEqual({ ...store.config, path: '', admin: null })
    expect(Object.keys(again.admin?.users ?? {}).sort()).toEqual(['admin', 'stats'])
    expect(configText(store, 'hidden')).not.toMatch(/s3cret|secret|password: stats/)
  })
})

describe('the status of a server', () => {
  it('can be set in memory and runtime alone, whatever else waits in memory', async () => {
    await setWeight(4)
    expect(await store.setServerStatus('db2', 3306, 'OFFLINE_SOFT')).toEqual([])
    expect(await store.setServerStatus('db9', 3306, 'OFFLINE_SOFT')).toBeNull()
    expect(fixture.applied.at(-1)?.servers.map(({ status, weight }) => [status, weight])).toEqual([
      ['ONLINE', 1],
      ['OFFLINE_SOFT', 7],
    ])
    expect(
      store.memory
        .table('mysql_servers')
        .all()
        .map((row) => [row['status'], row['weight']]),
    ).toEqual([
      ['ONLINE', 4],
      ['OFFLINE_SOFT', 4],
    ])
  })
})

describe('variables', () => {
  it('stand for the keys of the file, and have their defaults where they have no row', async () => {
    expect(await store.setVariable('mysql-max_connections', '60')).toBe(true)
    expect(await store.setVariable('mysql-nonesuch', '60')).toBe(false)
    await store.loadToRuntime('MYSQL VARIABLES')
    expect(fixture.applied.at(-1)?.limits.maxConnections).toBe(60)
    await edit(store, 'global_variables', (rows) =>
      rows.filter((row) => row['variable_name'] !== 'mysql-max_connections'),
    )
    await store.loadToRuntime('MYSQL VARIABLES')
    expect(fixture.applied.at(-1)?.limits.maxConnections).toBe(10_000)
    const shown = store.runtime
      .table('global_variables')
      .all()
      .map((row) => row['variable_name'])
    expect(shown).toContain('mysql-max_connections')
  })

  it('has admin-read_only set in memory and runtime by itself, saved or not', async () => {
    await store.setVariable('admin-stats_credentials', 'stats:stats;viewer:look')
    await store.setReadOnly(true)
    expect(fixture.applied.at(-1)).toMatchObject({ admin: { readOnly: true, statsUsers: ['stats'] } })
    for (const layer of [store.memory, store.runtime]) {
      const rows = layer.table('global_variables').all()
      expect(rows.filter((row) => row['variable_name'] === 'admin-read_only')).toEqual([
        { variable_name: 'admin-read_only', variable_value: 'true' },
      ])
    }
    await store.saveToDisk('ADMIN VARIABLES')
    store = fixture.open()
    expect(store.config.admin?.readOnly).toBe(true)
    await store.setReadOnly(false)
    expect(store.config.admin?.readOnly).toBeUndefined()
    await expect(store.setVariable('admin-read_only', 'perhaps')).rejects.toThrow(/admin-read_only/)
  })

  it('of the two kinds are loaded each by itself', async () => {
    await store.setVariable('admin-stats_credentials', 'stats:stats;viewer:look')
    await store.setVariable('mysql-have_ssl', 'false')
    await store.loadToRuntime('ADMIN VARIABLES')
    expect(fixture.applied.at(-1)).toMatchObject({
      admin: { users: { viewer: 'look' }, statsUsers: ['stats', 'viewer'] },
      tls: { mode: 'preferred' },
    })
    await store.loadToRuntime('MYSQL VARIABLES')
    expect(fixture.applied.at(-1)?.tls.mode).toBe('off')
  })
})

describe('disk', () => {
  const diskFile = () => readdirSync(join(fixture.folder, 'data')).map((name) => join(fixture.folder, 'data', name))

  it('wins at the next start while the file says the same, section by section, and the file once it was edited', async () => {
    await setWeight(3)
    await store.setVariable('mysql-max_connections', '60')
    await store.saveToDisk('MYSQL SERVERS')
    await store.saveToDisk('MYSQL VARIABLES')
    store = fixture.open()
    expect(store.config).toMatchObject({ servers: [{ weight: 3 }, { weight: 3 }], limits: { maxConnections: 60 } })
    fixture.write(FILE.replace('max_connections: 50', 'max_connections: 70'))
    store = fixture.open()
    expect(store.config).toMatchObject({ servers: [{ weight: 3 }, { weight: 3 }], limits: { maxConnections: 70 } })
    expect(store.startReport.join()).toMatch(
      /MYSQL SERVERS from disk \(saved .*MYSQL VARIABLES from the file \(edited since/,
    )
    await store.saveToDisk('MYSQL VARIABLES')
    expect(fixture.open().config.limits.maxConnections).toBe(70)
  })

  it('counts after LOAD FROM CONFIG, too: what is saved later was said later', async () => {
    fixture.write(FILE.replace('weight: 7', 'weight: 8'))
    await store.loadFromFile('MYSQL SERVERS')
    await setWeight(5)
    await store.saveToDisk('MYSQL SERVERS')
    expect(fixture.open().config.servers.map(({ weight }) => weight)).toEqual([5, 5])
  })

  it('is a file of its owner’s, with no password of the admin port in clear', async () => {
    await store.saveToDisk('ADMIN VARIABLES')
    const [path] = diskFile()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(diskFile()).toHaveLength(1)
    expect(readFileSync(path, 'utf8')).not.toMatch(/s3cret|stats:stats/)
    expect(Object.keys(fixture.open().config.admin?.users ?? {})).toEqual(['admin', 'stats'])
  })

  it('that cannot be read stops the start, and says what to do', async () => {
    await store.saveToDisk('MYSQL USERS')
    const [path] = diskFile()
    for (const text of ['{', '{"format":9,"sections":{}}', '[]']) {
      writeFileSync(path, text)
      expect(() => fixture.open()).toThrow(/config-\w+\.json: expected .*move it away/)
    }
  })
})

describe('reading the file again', () => {
  it('takes the sections that were edited to memory and runtime, and leaves the others', async () => {
    await setWeight(3)
    await store.loadToRuntime('MYSQL SERVERS')
    fixture.write(FILE.replace('max_connections: 50', 'max_connections: 70'))
    expect(await store.reload()).toMatchObject({ changed: ['MYSQL VARIABLES'] })
    expect(fixture.applied.at(-1)).toMatchObject({
      servers: [{ weight: 3 }, { weight: 3 }],
      limits: { maxConnections: 70 },
    })
    expect(weights(store, 'memory')).toEqual([3, 3])
    expect(await store.reload()).toMatchObject({ changed: [] })
  })

  it('changes nothing when the file has a mistake', async () => {
    fixture.write(`${FILE}bogus: 1`)
    expect(await problem(store.reload())).toMatch(/bogus: unknown key/)
    expect(await problem(store.loadFromFile('MYSQL USERS'))).toMatch(/bogus: unknown key/)
    expect(fixture.applied).toEqual([])
  })
})
