import { fork } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { generate } from 'selfsigned'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { checkListenAddress } from '../../../../src/control/check/listen-check.js'
import { claimAddresses } from '../../../../src/control/claim-addresses.js'
import { formatListenAddress, parseListenAddress } from '../../../../src/control/config/addresses.js'
import type { Config } from '../../../../src/control/config/config-schema.js'
import {
  identifyProcess,
  isSameProcess,
  readRunFile,
  runFilePath,
  writeRunFile,
} from '../../../../src/control/run-file.js'
import { loadTls } from '../../../../src/control/tls.js'
import type { ListenAddress } from '../../../../src/shared/snapshot.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-start-'))
const servers: Server[] = []
const log = pino({ level: 'silent' })

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

function config(changes: Partial<Config>): Config {
  return {
    path: 'sluice.yaml',
    datadir: join(folder, 'data'),
    listen: [],
    admin: null,
    metrics: null,
    api: null,
    tls: { mode: 'preferred', cert: null, key: null, ca: null },
    proxyProtocolNetworks: [],
    compressionAlgorithms: ['zlib', 'zstd', 'uncompressed'],
    ...changes,
  } as Config
}

async function listening(address: ListenAddress): Promise<number> {
  const server = createServer()
  servers.push(server)
  server.listen({ ...address })
  await once(server, 'listening')
  return (server.address() as { port: number }).port
}

describe('listen addresses', () => {
  it.each([
    ['127.0.0.1:6033', { host: '127.0.0.1', port: 6033 }, '127.0.0.1:6033'],
    ['[::1]:6033', { host: '::1', port: 6033 }, '[::1]:6033'],
    ['*:6033', { host: '::', port: 6033 }, '[::]:6033'],
    ['localhost:0', { host: 'localhost', port: 0 }, 'localhost:0'],
    ['unix:/run/s.sock', { path: '/run/s.sock' }, 'unix:/run/s.sock'],
  ])('%s', (text, address, shown) => {
    expect(parseListenAddress(text)).toEqual(address)
    expect(formatListenAddress(address)).toBe(shown)
  })

  it.each([['6033'], [':6033'], ['::1:6033'], ['host:'], ['host:65536'], ['host:-1'], ['unix:relative'], ['[::1]']])(
    '%s is none',
    (text) => {
      expect(parseListenAddress(text)).toBeNull()
    },
  )
})

describe('before anything is started', () => {
  it('a port in use is an error that names file, key and address', async () => {
    const port = await listening({ host: '127.0.0.1', port: 0 })
    const address = { host: '127.0.0.1', port }
    await expect(claimAddresses(config({ listen: [address] }), log)).rejects.toThrow(
      `sluice.yaml: listen: 127.0.0.1:${port} is in use by another process`,
    )
    await expect(claimAddresses(config({ metrics: { listen: address } }), log)).rejects.toThrow(
      `sluice.yaml: metrics.listen: 127.0.0.1:${port} is in use by another process`,
    )
  })

  it('an address of another machine is told from one in use', async () => {
    expect(await checkListenAddress({ host: '192.0.2.1', port: 6033 })).toEqual({
      inUse: false,
      text: 'is not an address of this machine',
    })
  })

  it('a unix socket on which somebody answers is in use', async () => {
    const path = join(folder, 'live.sock')
    await listening({ path })
    expect(await checkListenAddress({ path })).toMatchObject({ inUse: true })
    expect(existsSync(path)).toBe(true)
  })

  it('the socket that a killed process left is removed', async () => {
    const path = join(folder, 'stale.sock')
    const code = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    writeFileSync(join(folder, 'left.cjs'), code)
    await once(fork(join(folder, 'left.cjs'), { execArgv: [] }), 'exit')
    expect(existsSync(path)).toBe(true)
    expect(await checkListenAddress({ path })).toBeNull()
    expect(existsSync(path)).toBe(false)
  })

  it('a file that is no socket is left alone', async () => {
    const path = join(folder, 'notes.txt')
    writeFileSync(path, 'mine')
    expect(await checkListenAddress({ path })).toEqual({ inUse: false, text: 'exists and is not a socket' })
    expect(readFileSync(path, 'utf8')).toBe('mine')
  })

  it('workers whose parent died serve on until their place is taken: they are asked to leave, and their port is waited for', async () => {
    const code = `
      const server = require('node:net').createServer().listen(0, '127.0.0.1', () => process.send(server.address().port))
      process.on('SIGTERM', () => setTimeout(() => process.exit(0), 300))`
    writeFileSync(join(folder, 'orphan.cjs'), code)
    const orphan = fork(join(folder, 'orphan.cjs'), { execArgv: [] })
    const [port] = (await once(orphan, 'message')) as [number]
    const here = config({ listen: [{ host: '127.0.0.1', port }] })
    const gone = { pid: process.pid, startTicks: 'long ago' }
    writeRunFile(runFilePath(here.datadir, here.listen), { parent: gone, workers: [identifyProcess(orphan.pid!)!] })
    const exited = once(orphan, 'exit')
    const takeOver = await claimAddresses(here, log)
    expect(await checkListenAddress({ host: '127.0.0.1', port })).toMatchObject({ inUse: true })
    await takeOver()
    await exited
  })

  it('workers of a parent that lives, and processes that only inherited a number, are not touched', async () => {
    writeFileSync(join(folder, 'bystander.cjs'), 'setInterval(() => {}, 1000); process.send("up")')
    const bystander = fork(join(folder, 'bystander.cjs'), { execArgv: [] })
    await once(bystander, 'message')
    const identity = identifyProcess(bystander.pid!)!
    const here = config({ listen: [{ host: '127.0.0.1', port: 0 }] })
    const file = runFilePath(here.datadir, here.listen)
    writeRunFile(file, { parent: identifyProcess(process.pid)!, workers: [identity] })
    await (await claimAddresses(here, log))()
    writeRunFile(file, { parent: { pid: 999_999, startTicks: '1' }, workers: [{ ...identity, startTicks: '1' }] })
    await (await claimAddresses(here, log))()
    expect(isSameProcess(identity)).toBe(true)
    bystander.kill('SIGKILL')
  })

  it('a broken run file is as good as none', () => {
    const path = join(folder, 'run-broken.json')
    for (const text of [
      '',
      '{',
      '{}',
      '{"parent":{"pid":1,"startTicks":"5"},"workers":[]}',
      '{"parent":null,"workers":[]}',
    ]) {
      writeFileSync(path, text)
      expect(readRunFile(path), text).toBeNull()
    }
  })
})

describe('the certificate for clients', () => {
  it('is generated once, for this machine, ten years long, readable by its owner only', async () => {
    const here = config({ datadir: join(folder, 'tls') })
    const load = async () => (await loadTls(here, log))!
    const first = await load()
    const certificate = new X509Certificate(first.cert)
    expect(certificate.checkHost('localhost')).toBe('localhost')
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(Date.parse(certificate.validTo) - Date.now()).toBeGreaterThan(9.9 * 365 * 86_400_000)
    expect(statSync(join(here.datadir, 'server-key.pem')).mode & 0o777).toBe(0o600)
    expect(await load()).toEqual(first)
    writeFileSync(join(here.datadir, 'server-cert.pem'), 'damaged')
    expect((await load()).cert).not.toBe(first.cert)
  })

  it('that is configured must belong to its key and be valid today', async () => {
    const paths = { cert: join(folder, 'own-cert.pem'), key: join(folder, 'own-key.pem') }
    const make = (notBeforeDate: Date, notAfterDate: Date) =>
      generate([{ name: 'commonName', value: 'db' }], {
        keyType: 'ec',
        algorithm: 'sha256',
        notBeforeDate,
        notAfterDate,
      })
    const day = (offset: number) => new Date(Date.now() + offset * 86_400_000)
    const load = () => loadTls(config({ tls: { ...paths, mode: 'preferred', ca: null } }), log)
    const good = await make(day(-1), day(1))
    const old = await make(day(-3), day(-1))

    await expect(load()).rejects.toThrow(`sluice.yaml: tls.cert: ${paths.cert}: cannot be read (ENOENT)`)
    writeFileSync(paths.cert, 'no certificate')
    writeFileSync(paths.key, good.private)
    await expect(load()).rejects.toThrow('expected a certificate in PEM format')
    writeFileSync(paths.cert, old.cert)
    await expect(load()).rejects.toThrow(`tls.key: ${paths.key}: is not the key of ${paths.cert}`)
    writeFileSync(paths.key, old.private)
    await expect(load()).rejects.toThrow('expired on')
    writeFileSync(paths.cert, good.cert)
    writeFileSync(paths.key, good.private)
    expect(await load()).toEqual({ mode: 'preferred', cert: good.cert, key: good.private, ca: null })
  })
})
