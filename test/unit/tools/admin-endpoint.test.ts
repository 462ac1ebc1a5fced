import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { UsageError } from '../../../src/shared/errors.js'
import { formatEndpoint, readEndpoint } from '../../../src/tools/admin-endpoint.js'
import type { EndpointFlags } from '../../../src/tools/endpoint-flags.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-endpoint-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

function read(flags: EndpointFlags, env: NodeJS.ProcessEnv = {}): [string, string | null] {
  const endpoint = readEndpoint(flags, env)
  return [formatEndpoint(endpoint), endpoint.password]
}

const CONFIG = file(
  'sluice.yaml',
  `admin: { listen: ["*:7032", "unix:/run/a.sock"], users: { root: "\${ROOT_PW}", stats: s, ops: o } }
monitor: { password: "\${NOT_NEEDED_HERE}" }`,
)

describe('where the admin port is', () => {
  it('is the local host and the default account unless told', () => {
    expect(read({})).toEqual(['admin@127.0.0.1:6032', null])
    expect(read({ host: '::1', port: 7000, user: 'x' }, { SLUICE_ADMIN_PASSWORD: 'p' })).toEqual(['x@[::1]:7000', 'p'])
    expect(read({ host: 'unix:/run/x.sock' })).toEqual(['admin@unix:/run/x.sock', null])
  })

  it('is taken from the configuration file, of which nothing else has to be right', () => {
    expect(read({ config: CONFIG }, { ROOT_PW: 'r' })).toEqual(['root@127.0.0.1:7032', 'r'])
    expect(read({ config: CONFIG, user: 'ops', port: 1 })).toEqual(['ops@127.0.0.1:1', 'o'])
    expect(read({ config: CONFIG, user: 'nobody' })).toEqual(['nobody@127.0.0.1:7032', null])
    expect(read({ config: file('defaults.yaml', 'admin: {}') })).toEqual(['admin@127.0.0.1:6032', 'admin'])
  })

  it('takes the password that is named closest', () => {
    const passwordFile = file('password', 'from a file\r\nnothing of this\n')
    const env = { SLUICE_ADMIN_PASSWORD: 'env', ROOT_PW: 'r' }
    expect(read({ config: CONFIG, passwordFile }, env)[1]).toBe('from a file')
    expect(read({ config: CONFIG, password: 'flag' }, env)[1]).toBe('flag')
    expect(read({ config: CONFIG }, env)[1]).toBe('env')
  })

  it.each<[string, EndpointFlags, RegExp]>([
    ['two passwords', { password: 'a', passwordFile: 'b' }, /^expected either --password or --password-file$/],
    ['a port that is none', { port: 70_000 }, /^--port: expected a whole number from 1 to 65535$/],
    ['a relative socket', { host: 'unix:x' }, /^--host: expected unix: and an absolute path, got "unix:x"$/],
    ['no password file', { passwordFile: '/nowhere/x' }, /^--password-file: \/nowhere\/x cannot be read \(ENOENT\)$/],
    ['no file', { config: '/nowhere/x' }, /^\/nowhere\/x: no such file$/],
    [
      'no admin port',
      { config: file('none.yaml', 'workers: 1') },
      /no admin port is configured; expected the key admin/,
    ],
    [
      'an admin section with a mistake',
      { config: file('bad.yaml', 'workers: 1\nadmin:\n  listen: nonsense') },
      /bad\.yaml:3: admin\.listen: expected host:port/,
    ],
    ['a variable that is not set', { config: CONFIG }, /admin\.users\.root: its environment variable is not set here/],
  ])('refuses %s in one line', (_name, flags, message) => {
    const attempt = () => readEndpoint(flags, {})
    expect(attempt).toThrow(UsageError)
    expect(attempt).toThrow(message)
  })
})
