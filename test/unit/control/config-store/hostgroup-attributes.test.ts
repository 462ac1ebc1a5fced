import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../../src/control/config/config.js'
import type { Row } from '../../../../src/control/config-store/rows.js'
import type { ConfigStore } from '../../../../src/control/config-store/store.js'
import type { HostgroupAttributes } from '../../../../src/shared/snapshot.js'
import { edit, StoreFixture } from './store-fixture.js'

const TABLE = 'mysql_hostgroup_attributes'
const FILE = `
servers: [ { host: db1, hostgroup: 0 }, { host: db2, hostgroup: 1 } ]
hostgroup_attributes: [ { hostgroup: 1, free_connections_pct: 40 } ]
`
/** As ProxySQL's table fills what an INSERT leaves out. */
const DEFAULTS: Row = {
  hostgroup_id: 0,
  max_num_online_servers: 1_000_000,
  autocommit: -1,
  free_connections_pct: 10,
  init_connect: '',
  multiplex: 1,
  connection_warming: 0,
  throttle_connections_per_sec: 1_000_000,
  ignore_session_variables: '',
  hostgroup_settings: '',
  servers_defaults: '',
  comment: '',
}

let fixture: StoreFixture
let store: ConfigStore
beforeEach(() => {
  fixture = new StoreFixture()
  fixture.write(FILE)
  store = fixture.open()
})
afterEach(() => fixture.remove())

const load = async (row: Row): Promise<readonly HostgroupAttributes[] | undefined> => {
  await edit(store, TABLE, () => [{ ...DEFAULTS, ...row }])
  await store.loadToRuntime('MYSQL SERVERS')
  return fixture.applied.at(-1)?.hostgroupAttributes
}

describe('attributes of a hostgroup', () => {
  it('are as for all where the file says nothing, which is -1 in the columns that have a variable', () => {
    expect(store.config.hostgroupAttributes).toEqual([{ hostgroup: 1, freeConnectionsPct: 40 }])
    expect([...store.memory.table(TABLE).entries()].map(([, row]) => row)).toMatchObject([
      { hostgroup_id: 1, free_connections_pct: 40, connection_warming: -1, throttle_connections_per_sec: -1 },
    ])
  })

  it('of a row that is written as by ProxySQL’s tools hold instead of the variables, defaults too', async () => {
    expect(await load({ free_connections_pct: 25, connection_warming: 1, max_num_online_servers: 2 })).toEqual([
      {
        hostgroup: 0,
        maxOnlineServers: 2,
        freeConnectionsPct: 25,
        connectionWarming: true,
        throttleConnectionsPerSec: 1_000_000,
      },
    ])
  })

  it('of -1 are as for all', async () => {
    const row = { free_connections_pct: -1, connection_warming: -1, throttle_connections_per_sec: -1 }
    expect(await load(row)).toEqual([{ hostgroup: 0 }])
  })

  it.each([
    [{ free_connections_pct: 101 }, 'free_connections_pct: expected a whole number from 0 to 100, got "101"'],
    [{ throttle_connections_per_sec: 0 }, 'throttle_connections_per_sec: expected a whole number from 1 to 1000000'],
    [{ autocommit: 0 }, 'autocommit: expected -1, got "0": autocommit is the session’s own'],
    [{ ignore_session_variables: '["time_zone"]' }, 'ignore_session_variables: expected nothing or {} or []'],
    [{ hostgroup_settings: '{"handle_warnings":1}' }, 'hostgroup_settings: expected nothing or {}'],
    [{ servers_defaults: '{"weight":5}' }, 'servers_defaults: expected nothing or {}'],
    [{ init_connect: 'SET autocommit = 0' }, 'init_connect: expected no autocommit (autocommit is the session’s own)'],
    [{ max_num_online_servers: -1 }, 'max_num_online_servers: expected a whole number from 0 to 1000000, got "-1"'],
  ])('of %o are refused, and nothing has changed', async (row, message) => {
    await expect(load(row)).rejects.toThrow(`${TABLE} (0), column ${message}`)
    expect(fixture.applied).toEqual([])
  })

  it('of one hostgroup stand once in a file', () => {
    fixture.write(FILE.replace('pct: 40 } ]', 'pct: 40 }, { hostgroup: 1 } ]'))
    expect(() => loadConfig(fixture.path, {})).toThrow(
      'hostgroup_attributes[1].hostgroup: hostgroup 1 is already in hostgroup_attributes[0]',
    )
  })
})
