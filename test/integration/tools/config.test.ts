import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
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
      stderr: 'sluice: config needs one of: schema, validate (see sluice --help)\n',
    })
  })
})
