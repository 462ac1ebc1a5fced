import { describe, expect, it } from 'vitest'
import { commonGreeting, DEFAULT_GREETING } from '../../../../src/control/monitor/greeting.js'
import {
  binlogQuery,
  channelsQuery,
  dialectOf,
  readApplierLag,
  readBinlog,
  readChannels,
  readRoutines,
  readState,
  stateQuery,
} from '../../../../src/control/monitor/monitor-queries.js'

describe('the version in a greeting decides what is asked', () => {
  it.each([
    ['9.7.0', 'mysql', [9, 7, 0], 'SHOW REPLICA STATUS'],
    ['8.0.22', 'mysql', [8, 0, 22], 'SHOW REPLICA STATUS'],
    ['8.0.21-commercial', 'mysql', [8, 0, 21], 'SHOW SLAVE STATUS'],
    ['5.5.5-10.11.6-MariaDB-0+deb12u1', 'mariadb', [10, 11, 6], 'SHOW ALL SLAVES STATUS'],
    ['11.8.2-MariaDB', 'mariadb', [11, 8, 2], 'SHOW ALL SLAVES STATUS'],
  ])('%s', (greeting, flavor, version, query) => {
    const dialect = dialectOf(greeting)
    expect(dialect).toEqual({ flavor, version })
    expect(channelsQuery(dialect)).toBe(query)
  })
})

describe('answers are read alike for all flavors and versions', () => {
  it.each([
    [{ read_only: 0, super_read_only: 0, innodb_read_only: 0 }, false],
    [{ read_only: 1, super_read_only: 0, innodb_read_only: 0 }, true],
    [{ read_only: 0, super_read_only: 0, innodb_read_only: 1 }, true],
    [{ read_only: '0' }, false],
    [{ read_only: 'OFF' }, false],
    [{ read_only: 'READ_ONLY_NO_LOCK' }, true],
  ])('%o is read-only: %s', (row, readOnly) => {
    expect(readState(row, dialectOf('9.7.0')).readOnly).toBe(readOnly)
  })

  it('GTIDs count only when every new transaction gets one', () => {
    const row = (gtid_mode: string) => ({ read_only: 0, gtid_mode, gtid_executed: 'a:1,\nb:2' })
    expect(readState(row('ON'), dialectOf('9.7.0')).gtidExecuted).toBe('a:1,b:2')
    const committing = { ...row('ON'), gtid_owned: 'a:3#47:4#48,\nb:3#49' }
    expect(readState(committing, dialectOf('9.7.0')).gtidOwned).toBe('a:3:4,b:3')
    expect(readState(row('OFF_PERMISSIVE'), dialectOf('9.7.0')).gtidExecuted).toBe('')
  })

  it('old and new column names say the same', () => {
    const expected = {
      name: 'x',
      source: 'db1:3307',
      receiver: 'connecting',
      applierRuns: true,
      secondsBehind: null,
      executed: null,
      receiverError: 'e1',
      applierError: '',
    }
    const errors = { Last_IO_Error: 'e1', Last_SQL_Error: '' }
    const mysql9 = {
      Channel_Name: 'x',
      Source_Host: 'db1',
      Source_Port: 3307,
      Replica_IO_Running: 'Connecting',
      Replica_SQL_Running: 'Yes',
      Seconds_Behind_Source: null,
    }
    const mariadb = {
      Connection_name: 'x',
      Master_Host: 'db1',
      Master_Port: '3307',
      Slave_IO_Running: 'Preparing',
      Slave_SQL_Running: 'Yes',
      Seconds_Behind_Master: null,
    }
    expect(readChannels([{ ...mysql9, ...errors }])).toEqual([expected])
    expect(readChannels([{ ...mariadb, ...errors }])).toEqual([expected])
  })

  it('places in binary logs are read by old and new names', () => {
    const place = { server: 'u-1', log: 'bin', number: 17, offset: 812 }
    const [fresh] = readChannels([
      { Source_UUID: 'u-1', Relay_Source_Log_File: 'bin.000017', Exec_Source_Log_Pos: '812' },
    ])
    const [old] = readChannels([{ Master_UUID: 'u-1', Relay_Master_Log_File: 'bin.000017', Exec_Master_Log_Pos: 812 }])
    expect([fresh?.executed, old?.executed]).toEqual([place, place])
    const [never] = readChannels([{ Source_UUID: '', Relay_Source_Log_File: '', Exec_Source_Log_Pos: 0 }])
    expect(never?.executed).toBeNull()
    const state = readState({ server_uuid: 'u-1', gtid_mode: 'OFF' }, dialectOf('8.0.36'))
    expect(readBinlog({ File: 'bin.000017', Position: 812 }, state)).toEqual(place)
    expect(readBinlog(undefined, state)).toBeNull()
  })

  it.each([
    ['5.7.44', 'SHOW MASTER STATUS', 'log_slave_updates'],
    ['8.0.26', 'SHOW MASTER STATUS', 'log_replica_updates'],
    ['8.1.0', 'SHOW MASTER STATUS', 'log_replica_updates'],
    ['8.2.0', 'SHOW BINARY LOG STATUS', 'log_replica_updates'],
    ['9.7.0', 'SHOW BINARY LOG STATUS', 'log_replica_updates'],
  ])('%s is asked for its log by %s and %s', (version, statement, variable) => {
    expect(binlogQuery(dialectOf(version))).toBe(statement)
    expect(stateQuery(dialectOf(version))).toContain(`@@global.${variable} `)
  })

  it.each([
    ['OFF', true],
    ['OFF_PERMISSIVE', true],
    ['ON_PERMISSIVE', false],
    ['ON', false],
  ])('with gtid_mode = %s new transactions lack GTIDs: %s', (gtid_mode, lacks) => {
    const state = readState({ gtid_mode, server_uuid: 'u-1', logs_applied: 1 }, dialectOf('9.7.0'))
    expect(state).toMatchObject({ lacksGtids: lacks, serverUuid: 'u-1', logsApplied: true })
    expect(readState({}, dialectOf('10.11.6-MariaDB'))).toMatchObject({ lacksGtids: false, serverUuid: '' })
  })

  it('the applier’s lag is the oldest transaction anywhere on its way, never negative', () => {
    expect(readApplierLag({ applying_us: null, processing_us: null, queued_us: null })).toBe(0)
    expect(readApplierLag({ applying_us: '1500', processing_us: 900, queued_us: 2500 })).toBe(2.5)
    expect(readApplierLag({ applying_us: -300, processing_us: null, queued_us: null })).toBe(0)
  })

  it('functions are named in lower case', () => {
    expect(
      readRoutines([
        { routine_schema: 'Shop', routine_name: 'Price' },
        { routine_schema: 'a', routine_name: 'b' },
      ]),
    ).toEqual(['a.b', 'shop.price'])
  })
})

describe('the greeting for clients', () => {
  const greeting = (serverVersion: string, capabilities: number, mariadbCapabilities = 0, collation = 255) => ({
    serverVersion,
    connectionId: 1,
    scramble: Buffer.alloc(20),
    capabilities,
    mariadbCapabilities,
    collation,
    status: 2,
    authPlugin: 'caching_sha2_password',
  })

  it('is that of MySQL 8.0 as long as no server is known', () => {
    expect(commonGreeting([])).toBe(DEFAULT_GREETING)
    expect(DEFAULT_GREETING.capabilities).toBe(0xdfffffff)
  })

  it('offers what all servers can do, under the lowest version', () => {
    expect(commonGreeting([greeting('9.7.0', 0xffff_000f), greeting('8.0.36', 0xfff0_000e)])).toEqual({
      flavor: 'mysql',
      serverVersion: '8.0.36',
      collation: 255,
      capabilities: 0xfff0_000e,
      mariadbCapabilities: 0,
    })
  })

  it('of MariaDB keeps its own capabilities and the version as sent', () => {
    const servers = [
      greeting('5.5.5-10.11.6-MariaDB', 0x81, 0x1d, 45),
      greeting('5.5.5-10.6.1-MariaDB', 0x81, 0x1c, 45),
    ]
    expect(commonGreeting(servers)).toMatchObject({
      flavor: 'mariadb',
      serverVersion: '5.5.5-10.6.1-MariaDB',
      collation: 45,
      mariadbCapabilities: 0x1c,
    })
  })
})
