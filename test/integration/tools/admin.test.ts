import { beforeAll, describe, expect, it } from 'vitest'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { sluice } from '../../helpers/sluice.js'

let proxy: RunningProxy

beforeAll(async () => {
  proxy = await startProxy(await sharedCluster('mysql'), { admin: { users: { admin: 'admin', ops: 'secret' } } })
})

const admin = (args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}) =>
  sluice(['admin', '--port', String(proxy.adminPort), ...args], { input, env })

describe('sluice admin', () => {
  it('executes statements one after the other, as tabs for a script', async () => {
    const { status, stdout, stderr } = await admin(['-e', "SELECT 1 AS a, 'x;y' AS b; SELECT 2 AS c"])
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'a\tb\n1\tx;y\nc\n2\n', stderr: '' })
  })

  it('prints tables, lines and JSON', async () => {
    const sql = 'SELECT hostgroup, status FROM stats_mysql_connection_pool WHERE hostgroup = 0'
    const rule = '+-----------+--------+'
    const lines = [rule, '| hostgroup | status |', rule, '| 0         | ONLINE |', rule, '']
    expect((await admin(['--table', '-e', sql])).stdout).toBe(lines.join('\n'))
    expect((await admin(['--vertical', '-e', sql])).stdout).toContain('hostgroup: 0\n   status: ONLINE\n')
    expect(JSON.parse((await admin(['--json', '-e', sql])).stdout)).toEqual([{ hostgroup: '0', status: 'ONLINE' }])
  })

  it('reads statements from a pipe', async () => {
    const { status, stdout } = await admin(['--json'], 'SELECT\n 1 AS a;\n-- nothing\nSELECT 2 AS a')
    expect({ status, stdout }).toEqual({ status: 0, stdout: '[{"a":"1"}]\n[{"a":"2"}]\n' })
  })

  it('stops at the first statement that fails: one line, status 1', async () => {
    const { status, stdout, stderr } = await admin(['-e', 'SELECT 1; SELECT a FROM nowhere; SELECT 2'])
    expect(status).toBe(1)
    expect(stdout).toBe('1\n1\n')
    expect(stderr).toMatch(/^sluice: statement 2: ERROR 1146 \(42S02\): .*nowhere.*\n$/)
  })

  it('takes address and account from the configuration file, another account by flags or environment', async () => {
    const whoami = 'SELECT USER() AS me'
    const configured = await sluice(['admin', '--config', proxy.configPath, '-e', whoami])
    expect(configured.stdout).toBe('me\nadmin@localhost\n')
    const named = await admin(['--user', 'ops', '-e', whoami], '', { SLUICE_ADMIN_PASSWORD: 'secret' })
    expect(named.stdout).toBe('me\nops@localhost\n')
  })

  it('says in one line why it cannot connect', async () => {
    const denied = await admin(['--user', 'ops', '--password', 'wrong', '-e', 'SELECT 1'])
    expect(denied.status).toBe(1)
    expect(denied.stderr).toMatch(
      /^sluice: 127\.0\.0\.1:\d+: Access denied for user 'ops'@.*\(using password: YES\)\n$/,
    )
    const unnamed = await admin(['--user', 'ops', '-e', 'SELECT 1'])
    expect(unnamed.stderr).toMatch(/; expected --password-file, SLUICE_ADMIN_PASSWORD or --config\n$/)
    const nobody = await sluice(['admin', '--host', 'unix:/nowhere.sock', '-e', 'SELECT 1'])
    expect(nobody).toEqual({
      status: 1,
      stdout: '',
      stderr:
        'sluice: the admin port unix:/nowhere.sock cannot be reached (there is no such socket: is Sluice running?)\n',
    })
  })

  it('uses TLS where it is offered, so that a proxy that requires it lets it in; sluice top as well', async () => {
    const strict = await startProxy(await sharedCluster('mysql'), { tls: { mode: 'required' } })
    const plain = strict.connect({ port: strict.adminPort, user: 'admin', password: 'admin' })
    await expect(plain).rejects.toMatchObject({ errno: 3159 })
    const { stdout, stderr } = await sluice(['admin', '--config', strict.configPath, '-e', 'SELECT 1 AS a'])
    expect({ stdout, stderr }).toEqual({ stdout: 'a\n1\n', stderr: '' })
    expect(await sluice(['top', '--once', '--config', strict.configPath])).toMatchObject({ status: 0, stderr: '' })
  })

  it('refuses flags that exclude each other: status 2', async () => {
    const { status, stderr } = await admin(['--json', '--vertical', '-e', 'SELECT 1'])
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'sluice: expected at most one of --json, --vertical and --table\n',
    })
  })
})
