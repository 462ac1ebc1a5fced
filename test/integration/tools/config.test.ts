import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { sluice } from '../../helpers/sluice.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(text: string): string {
  const path = join(folder, 'sluice.yaml')
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

describe('sluice config', () => {
  it('prints the schema of the file', async () => {
    const { status, stdout } = await sluice(['config', 'schema'])
    expect(status).toBe(0)
    expect(stdout).toBe(readFileSync(new URL('../../../docs/sluice.schema.json', import.meta.url), 'utf8'))
  })

  it('validates a file without asking a server', async () => {
    const path = file('servers: [{ host: 192.0.2.1 }]\nusers: [{ name: a, password: b }]\n')
    const { status, stdout, stderr } = await sluice(['config', 'validate', '--config', path])
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: `${path} is valid: 1 server, 1 user\n`,
      stderr: '',
    })
  })

  it.each([
    [
      'servers: [{ host: a }]\nworkers: 65\n',
      /^sluice: \S+sluice\.yaml:2: workers: expected auto or a whole number from 1 to 64, got "65"\n$/,
    ],
    [
      `servers: [{ host: a }]\nmonitor: { password: "\${NOWHERE_SET}" }\n`,
      /monitor\.password: the environment variable NOWHERE_SET is not set\n$/,
    ],
    ['servers: [{ host: a }]\ntls: { cert: /nowhere.pem, key: /nowhere.pem }\n', /^sluice: .*nowhere\.pem/],
    [
      'servers: [{ host: a }]\napi: { listen: "0.0.0.0:6071" }\n',
      /:2: api: expected token: without one the API listens on this machine only/,
    ],
    [
      'servers: [{ host: a }]\napi: { token: short }\n',
      /api\.token: expected a text of 16 to 256 .*, got another text\n$/,
    ],
  ])('refuses %j in one line, status 2', async (text, message) => {
    const { status, stdout, stderr } = await sluice(['config', 'validate', '--config', file(text)])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })

  it('says what it can do', async () => {
    const { status, stderr } = await sluice(['config'])
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'sluice: config needs one of: schema, validate, diff, export, import (see sluice --help)\n',
    })
  })
})

describe('sluice config and a Sluice that runs', () => {
  let proxy: RunningProxy

  beforeAll(async () => {
    proxy = await startProxy(await sharedCluster('mysql'))
  })

  // Fifteen processes, one after the other.
  it('tell in what the layers differ, write the configuration out and take one in', { timeout: 120_000 }, async () => {
    const config = ['--config', proxy.configPath]
    const diff = (layer: string) => sluice(['config', 'diff', ...config, '--against', layer])
    const admin = (sql: string) => sluice(['admin', ...config, '-e', sql])

    for (const layer of ['memory', 'runtime'])
      expect(await diff(layer)).toEqual({
        status: 0,
        stdout: `${layer} says what ${proxy.configPath} says\n`,
        stderr: '',
      })
    expect((await diff('disk')).stdout).toBe('nothing has been saved to disk\n')

    await admin(
      "INSERT INTO mysql_users (username, password) VALUES ('bob', 'clear-text'); SET mysql-max_connections = 77",
    )
    const memory = await diff('memory')
    expect(memory).toEqual({
      status: 1,
      stdout:
        'MYSQL USERS\n  + mysql_users (bob)\nMYSQL VARIABLES\n' +
        '  ~ global_variables (mysql-max_connections): variable_value "10000" -> "77"\n',
      stderr: '',
    })
    expect((await diff('runtime')).status).toBe(0)
    await admin('SAVE MYSQL USERS TO DISK; SAVE MYSQL VARIABLES TO DISK')
    expect((await diff('disk')).stdout).toBe(memory.stdout)

    const shown = await sluice(['config', 'export', ...config, '--running'])
    expect(shown.stdout).toContain('name: bob')
    expect(shown.stdout).not.toContain('clear-text')
    const path = join(folder, 'exported.yaml')
    for (const more of [[], ['--running']]) {
      const exported = await sluice(['config', 'export', ...config, ...more, '--output', path])
      expect(exported).toEqual({ status: 0, stdout: '', stderr: '' })
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(readFileSync(path, 'utf8')).toContain('clear-text')
      expect((await sluice(['config', 'validate', '--config', path])).status).toBe(0)
    }

    await admin('DELETE FROM mysql_users; SET mysql-max_connections = 78')
    const imported = await sluice(['config', 'import', path, ...config])
    expect({ status: imported.status, stderr: imported.stderr }).toEqual({ status: 0, stderr: '' })
    expect(imported.stdout).toContain('LOAD MYSQL USERS TO RUNTIME; ')
    expect((await diff('memory')).stdout).toBe(memory.stdout)
  })
})
