import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../../src/control/config/config.js'
import type { Config } from '../../../../src/control/config/config-schema.js'
import { ClientTls } from '../../../../src/control/ticket-keys.js'
import { type Certificate, makeAuthority, makeCertificate } from '../../../helpers/certificates.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-tls-'))
const file = join(folder, 'sluice.yaml')
let authority: Certificate
let other: Certificate
let pair: Certificate

function load(text: string): Config {
  writeFileSync(file, text, { mode: 0o600 })
  return loadConfig(file, { HOME: '/home/somebody' })
}

function mistake(text: string): string {
  try {
    load(text)
  } catch (error) {
    return (error as Error).message.replaceAll(`${folder}/`, '')
  }
  throw new Error('the configuration was accepted')
}

beforeAll(async () => {
  authority = await makeAuthority('one')
  other = await makeAuthority('two')
  pair = await makeCertificate('sluice', authority)
  const expired = await makeCertificate('old', authority, { from: -9, to: -1 })
  const texts = {
    'ca.pem': authority.cert,
    'both.pem': `${authority.cert}\n${other.cert}`,
    'cert.pem': pair.cert,
    'key.pem': pair.key,
    'other-key.pem': other.key,
    'old-cert.pem': expired.cert,
    'old-key.pem': expired.key,
    'nothing.pem': 'nothing',
  }
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text)
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('TLS settings of servers', () => {
  it('are off unless they are asked for; use_ssl means required', () => {
    const { servers } = load('servers: [ { host: a }, { host: b, use_ssl: true }, { host: c, ssl_mode: Preferred } ]')
    expect(servers.map(({ tls }) => tls.mode)).toEqual(['disabled', 'required', 'preferred'])
    expect(servers[0].tls).toEqual({ mode: 'disabled', ca: null, cert: null, key: null })
  })

  it('take files of their own before those of backend_tls, relative to the configuration file', () => {
    const { servers } = load(`
backend_tls: { ssl_ca: ca.pem, ssl_cert: cert.pem, ssl_key: key.pem }
servers:
  - { host: a, ssl_mode: VERIFY_IDENTITY }
  - { host: b, ssl_mode: verify_ca, ssl_ca: both.pem }
  - { host: c }
`)
    const [a, b, c] = servers
    expect(a.tls).toEqual({ mode: 'verify_identity', ca: authority.cert, ...pair })
    expect(a.tlsFiles).toEqual({
      ca: join(folder, 'ca.pem'),
      cert: join(folder, 'cert.pem'),
      key: join(folder, 'key.pem'),
    })
    expect(b.tls).toEqual({ mode: 'verify_ca', ca: `${authority.cert}\n${other.cert}`, ...pair })
    expect(c.tls.ca).toBeNull()
  })

  it.each([
    [
      '{ host: a, ssl_mode: strict }',
      'ssl_mode: expected disabled, preferred, required, verify_ca or verify_identity, got "strict"',
    ],
    [
      '{ host: a, ssl_mode: verify_ca }',
      'ssl_ca: expected a file with the authorities for ssl_mode verify_ca, here or in backend_tls',
    ],
    [
      '{ host: a, ssl_mode: disabled, use_ssl: true }',
      'ssl_mode: use_ssl: true means required or more, and this is disabled',
    ],
    [
      '{ host: a, ssl_ca: ca.pem }',
      'ssl_ca: has a meaning only with an ssl_mode that encrypts, and the mode is disabled',
    ],
    ['{ host: a, use_ssl: true, ssl_cert: cert.pem }', 'ssl_key: expected the key of ssl_cert, got nothing'],
    ['{ host: a, use_ssl: true, ssl_key: key.pem }', 'ssl_cert: expected the certificate of ssl_key, got nothing'],
    ['{ host: a, use_ssl: true, ssl_ca: none.pem }', 'ssl_ca: none.pem: cannot be read (ENOENT)'],
    ['{ host: a, use_ssl: true, ssl_ca: nothing.pem }', 'ssl_ca: nothing.pem: expected certificates in PEM format'],
    [
      '{ host: a, use_ssl: true, ssl_cert: cert.pem, ssl_key: other-key.pem }',
      'ssl_key: other-key.pem: is not the key of cert.pem',
    ],
    ['{ host: a, proxy_protocol: v3 }', 'proxy_protocol: expected off, v1 or v2, got "v3"'],
  ])('that make no sense are refused: %s', (row, message) => {
    expect(mistake(`servers:\n  - ${row}\n`)).toBe(`sluice.yaml:2: servers[0].${message}`)
  })

  it('with a certificate that has expired are refused', () => {
    expect(mistake('servers: [ { host: a, use_ssl: true, ssl_cert: old-cert.pem, ssl_key: old-key.pem } ]')).toMatch(
      /^sluice\.yaml:1: servers\[0\]\.ssl_cert: old-cert\.pem: expired on /,
    )
  })

  it('of one server are the same in all its hostgroups', () => {
    const rows = (second: string) =>
      `servers:\n  - { host: a, ssl_mode: required }\n  - { host: a, hostgroup: 1${second} }\n`
    expect(mistake(rows(''))).toBe(
      'sluice.yaml:3: servers[1]: its TLS settings and proxy_protocol differ from those of servers[0], the same server',
    )
    expect(load(rows(', use_ssl: true')).servers).toHaveLength(2)
  })

  it('name the line of backend_tls when its files are the mistake', () => {
    expect(mistake('backend_tls: { ssl_ca: none.pem }\nservers: [ { host: a, use_ssl: true } ]')).toBe(
      'sluice.yaml:1: backend_tls.ssl_ca: none.pem: cannot be read (ENOENT)',
    )
  })
})

describe('TLS settings towards clients', () => {
  it.each([
    ['mode: verify_ca', 'ca: expected a file with the authorities of client certificates, got nothing'],
    ['ca: ca.pem', 'ca: has a meaning only with mode: verify_ca, and the mode is preferred'],
    ['key: key.pem', 'cert: expected the certificate of tls.key, got nothing'],
    ['mode: on', 'mode: expected off, preferred, required or verify_ca, got "on"'],
  ])('that make no sense are refused: %s', (setting, message) => {
    expect(mistake(`servers: [ { host: a } ]\ntls: { ${setting} }`)).toBe(`sluice.yaml:2: tls.${message}`)
  })

  it('have random ticket keys of 48 bytes, new ones with every rotation and with other files only', () => {
    const loaded = { mode: 'required' as const, ...pair, ca: null }
    const tls = new ClientTls(loaded)
    const keys = (): string => tls.material!.ticketKeys
    const seen = new Set([keys()])
    expect(Buffer.from(keys(), 'base64')).toHaveLength(48)
    expect(tls.replace({ ...loaded })).toBe(false)
    expect(seen.has(keys())).toBe(true)
    tls.rotate()
    expect(seen.has(keys())).toBe(false)
    seen.add(keys())
    expect(tls.replace({ ...loaded, mode: 'verify_ca', ca: authority.cert })).toBe(true)
    expect(seen.has(keys())).toBe(false)
    expect(tls.replace(null)).toBe(true)
    expect(tls.material).toBeNull()
  })
})

describe('proxy_protocol_networks', () => {
  it('is one entry or a list', () => {
    const read = (value: string) =>
      load(`servers: [ { host: a } ]\nproxy_protocol_networks: ${value}`).proxyProtocolNetworks
    expect(read('10.0.0.0/8')).toEqual(['10.0.0.0/8'])
    expect(read('[ "::1", localhost, "*" ]')).toEqual(['::1', 'localhost', '*'])
    expect(load('servers: [ { host: a } ]').proxyProtocolNetworks).toEqual([])
  })

  it('refuses what is no network', () => {
    expect(mistake('servers: [ { host: a } ]\nproxy_protocol_networks: [ 10.0.0.0/8, balancer ]')).toBe(
      'sluice.yaml:2: proxy_protocol_networks[1]: expected an IP address, a range such as 10.0.0.0/8, localhost or *, got "balancer"',
    )
  })
})
