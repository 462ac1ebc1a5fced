import { describe, expect, it } from 'vitest'
import {
  type ServerSettings,
  serverArguments,
  userArguments,
  withOwnOptions,
} from '../../../../src/sandbox/cluster/options.js'

const settings: ServerSettings = {
  role: 'replica',
  serverId: 2,
  port: 20_002,
  socket: '/s/replica1.sock',
  datadir: '/s/replica1/data',
  errorLog: '/s/replica1/error.log',
  filesDir: '/s/replica1/files',
  readOnly: true,
  semiSync: false,
}

describe('the options of a server', () => {
  it("are the caller's where both say something", () => {
    const args = ['--skip-name-resolve', '--port=1', '--local-infile=ON']
    const own = ['--disable-skip-name-resolve', '--loose_local_infile=OFF', '--portable=2']
    expect(withOwnOptions(args, own)).toEqual(['--port=1', ...own])
  })

  it.each(['mysql', 'mariadb'] as const)('keep %s on loopback, with GTIDs and its own address', (engine) => {
    const args = serverArguments(engine, settings)
    expect(args).toContain('--bind-address=127.0.0.1')
    expect(args).toContain('--report-port=20002')
    expect(args).toContain('--server-id=2')
    expect(args).toContain(engine === 'mysql' ? '--gtid-mode=ON' : '--gtid-strict-mode=ON')
  })

  it('stop even root from writing to a MySQL replica', () => {
    expect(serverArguments('mysql', settings)).toContain('--super-read-only=ON')
    expect(serverArguments('mysql', { ...settings, readOnly: false })).not.toContain('--super-read-only=ON')
    expect(serverArguments('mariadb', settings)).toContain('--read-only=ON')
  })

  it('make only the primary wait for semi-synchronous acknowledgements', () => {
    const replica = serverArguments('mysql', { ...settings, semiSync: true })
    const primary = serverArguments('mysql', { ...settings, semiSync: true, role: 'primary' })
    expect(replica).toContain('--rpl-semi-sync-source-enabled=OFF')
    expect(primary).toContain('--rpl-semi-sync-source-enabled=ON')
    expect(serverArguments('mysql', settings).join()).not.toContain('semi')
  })

  it('let root run a server only by saying so', () => {
    expect(userArguments(0)).toEqual(['--user=root'])
    expect(userArguments(1000)).toEqual([])
  })
})
