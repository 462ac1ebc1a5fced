import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import type { Connection } from 'mysql2/promise'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { runCheck } from '../../../src/control/check/check.js'
import type { Cluster } from '../../../src/sandbox/index.js'
import { type Certificate, makeAuthority, makeCertificate, pemFiles } from '../../helpers/certificates.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { type HandLogin, type HandLoginOptions, loginByHand } from '../../helpers/tls-client.js'
import { admin, until, value } from './observe.js'

const SLOW = { timeout: 60_000 }
const REFUSED_INSECURE = { errno: 3159, sqlState: 'HY000' }

/** Logs in, tells how it went and leaves. */
async function outcome(port: number, options: HandLoginOptions = {}): Promise<HandLogin['error']> {
  const login = await loginByHand(port, options)
  login.socket.destroy()
  return login.error
}

const over = (more: ConnectionOptions = {}): HandLoginOptions => ({ tlsOptions: more })
const commonName = ({ tls }: HandLogin): string => String(tls!.getPeerCertificate().subject.CN)

describe('TLS towards clients', () => {
  let cluster: Cluster
  let proxy: RunningProxy
  let authority: Certificate
  let stranger: Certificate
  let files: Record<'ca' | 'cert' | 'key', string>

  beforeAll(async () => {
    cluster = await sharedCluster('mysql')
    authority = await makeAuthority('Sluice test authority')
    stranger = await makeAuthority('Another authority')
    const first = await makeCertificate('first', authority, { names: ['localhost'], addresses: ['127.0.0.1'] })
    files = pemFiles({ ca: authority.cert, cert: first.cert, key: first.key })
    proxy = await startProxy(cluster, {
      workers: 2,
      tls: { mode: 'required', cert: files.cert, key: files.key },
      users: [
        { name: 'app', password: 'app' },
        { name: 'tls_only', password: 'app', use_ssl: true },
      ],
    })
  }, SLOW.timeout)

  /** Changes the configuration file, sends SIGHUP and waits for a log line with `text` that comes after it. */
  async function reload(changes: Record<string, unknown>, text = 'configuration read again'): Promise<string> {
    const config = parse(readFileSync(proxy.configPath, 'utf8')) as Record<string, unknown>
    writeFileSync(proxy.configPath, stringify({ ...config, ...changes }))
    const before = proxy.log().length
    process.kill(proxy.pid, 'SIGHUP')
    let found = ''
    await until('the log to say so', () => {
      found =
        proxy
          .log()
          .slice(before)
          .map(({ msg }) => String(msg))
          .find((msg) => msg.includes(text)) ?? ''
      return found !== ''
    })
    return found
  }

  /** New settings have reached every worker when each of many logins shows it. */
  async function settled(check: () => Promise<boolean>): Promise<void> {
    await until('all workers to have the new settings', async () => {
      for (let i = 0; i < 4; i++) if (!(await check())) return false
      return true
    })
  }

  it('required refuses what is not encrypted with 3159, and lets TLS 1.2 and 1.3 in', SLOW, async () => {
    expect(await outcome(proxy.port)).toMatchObject(REFUSED_INSECURE)
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const login = await loginByHand(
        proxy.port,
        over({ minVersion: version, maxVersion: version, ca: authority.cert }),
      )
      expect(login.error).toBeNull()
      expect(login.tls?.getProtocol()).toBe(version)
      expect(login.tls?.authorized).toBe(true)
      login.socket.destroy()
    }
  })

  it('tells a client with what its own connection is encrypted', SLOW, async () => {
    const client = await proxy.connect({ ssl: { ca: authority.cert, maxVersion: 'TLSv1.2' } })
    const status = async (name: string) => {
      const [rows] = await client.query(`SHOW STATUS LIKE '${name}'`)
      return (rows as { Value: string }[])[0]['Value']
    }
    expect(await status('Ssl_cipher')).toMatch(/^ECDHE-/)
    expect(await status('Ssl_version')).toBe('TLSv1.2')
  })

  it('refuses TLS 1.1', SLOW, async () => {
    const old: ConnectionOptions = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
    await expect(loginByHand(proxy.port, over(old))).rejects.toThrow(/protocol version/)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'resumes a %s session in the other worker, and in a new one',
    SLOW,
    async (version) => {
      const options: ConnectionOptions = { minVersion: version, maxVersion: version }
      const pids = proxy.workerPids()
      const connectAt = async (pid: number, session?: Buffer): Promise<HandLogin> => {
        const others = pids.filter((one) => one !== pid)
        for (const other of others) process.kill(other, 'SIGSTOP')
        try {
          return await loginByHand(proxy.port, over({ ...options, ...(session && { session }) }))
        } finally {
          for (const other of others) process.kill(other, 'SIGCONT')
        }
      }
      const first = await connectAt(pids[0])
      expect(first.tls?.isSessionReused()).toBe(false)
      const session = await first.session()
      const second = await connectAt(pids[1], session)
      expect(second.error).toBeNull()
      expect(second.tls?.isSessionReused()).toBe(true)
      expect(second.connectionId % 64).not.toBe(first.connectionId % 64)
      process.kill(pids[1], 'SIGKILL')
      await until('another worker', () => proxy.workerPids().length === 2 && !proxy.workerPids().includes(pids[1]))
      const fresh = proxy.workerPids().find((pid) => pid !== pids[0])!
      pids[1] = fresh
      // It is forked before it listens.
      await until('the new worker to serve', async () => {
        const login = await loginByHand(proxy.port, over())
        login.socket.destroy()
        return login.connectionId % 64 === second.connectionId % 64
      })
      const third = await connectAt(fresh, session)
      expect(third.tls?.isSessionReused()).toBe(true)
      for (const { socket } of [first, third]) socket.destroy()
    },
  )

  it('a SIGHUP exchanges the certificate for new connections; a session that is open goes on', SLOW, async () => {
    const open = await proxy.connect({ ssl: { rejectUnauthorized: false } })
    const name = await value(open, 'SELECT CURRENT_USER()')
    const held = await loginByHand(proxy.port, over())
    expect(commonName(held)).toBe('first')
    const session = await held.session()

    writeFileSync(files.key, (await makeCertificate('other', authority)).key)
    const refused = await reload({}, 'configuration not changed')
    expect(refused).toContain(`tls.key: ${files.key}: is not the key of ${files.cert}`)
    expect(refused).not.toContain('\n')
    const still = await loginByHand(proxy.port, over())
    expect(commonName(still)).toBe('first')

    const second = await makeCertificate('second', authority)
    writeFileSync(files.cert, second.cert)
    writeFileSync(files.key, second.key)
    await reload({}, 'new clients get the TLS settings and certificate read now')
    await settled(async () => {
      const login = await loginByHand(proxy.port, over())
      const name = commonName(login)
      login.socket.destroy()
      return name === 'second'
    })
    // Tickets of before are not understood, and no client notices.
    const resumed = await loginByHand(proxy.port, over({ session }))
    expect(resumed.error).toBeNull()
    expect(resumed.tls?.isSessionReused()).toBe(false)
    expect(await value(open, 'SELECT CURRENT_USER()')).toBe(name)
    expect(held.tls?.destroyed).toBe(false)
    for (const { socket } of [held, still, resumed]) socket.destroy()
  })

  it('PROXYSQL RELOAD TLS exchanges the certificate as well', SLOW, async () => {
    const third = await makeCertificate('third', authority)
    writeFileSync(files.cert, third.cert)
    const reloadTls = () => admin(proxy, 'PROXYSQL RELOAD TLS', { rejectUnauthorized: false })
    await expect(reloadTls()).rejects.toThrow(/TLS not reloaded: .*is not the key of/)
    writeFileSync(files.key, third.key)
    await reloadTls()
    await settled(async () => {
      const login = await loginByHand(proxy.port, over())
      const name = commonName(login)
      login.socket.destroy()
      return name === 'third'
    })
  })

  it(
    'verify_ca lets in whose certificate the authority has signed, and says what is wrong with others',
    SLOW,
    async () => {
      await reload({ tls: { mode: 'verify_ca', cert: files.cert, key: files.key, ca: files.ca } })
      const good = await makeCertificate('client', authority)
      await settled(async () => (await outcome(proxy.port, over())) !== null)
      expect(await outcome(proxy.port)).toMatchObject(REFUSED_INSECURE)
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        expect(await outcome(proxy.port, over({ maxVersion, ...good }))).toBeNull()
        const said = async (pair: Certificate | null): Promise<string> => {
          const error = await outcome(proxy.port, over({ maxVersion, ...pair }))
          expect(error).toMatchObject({ errno: 1045, sqlState: '28000' })
          return error!.message
        }
        expect(await said(null)).toBe(
          'sluice: Access denied: a client certificate signed by tls.ca is needed (none was sent)',
        )
        expect(await said(await makeCertificate('client', stranger))).toMatch(/unable to|issuer/)
        expect(await said(await makeCertificate('client', null))).toContain('self-signed certificate')
        expect(await said(await makeCertificate('client', authority, { from: -9, to: -1 }))).toContain('has expired')
      }
    },
  )

  it(
    'verify_ca does not let anybody in by a session without a certificate, and everybody by one with',
    SLOW,
    async () => {
      const good = await makeCertificate('client', authority)
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        for (const [pair, isIn] of [
          [good, true],
          [null, false],
          [await makeCertificate('client', stranger), false],
        ] as const) {
          const first = await loginByHand(proxy.port, over({ maxVersion, ...pair }))
          expect(first.error === null).toBe(isIn)
          const session = await first.session()
          const second = await loginByHand(proxy.port, over({ maxVersion, session }))
          expect(second.error === null, `${maxVersion}, reused: ${second.tls?.isSessionReused()}`).toBe(isIn)
          if (isIn) expect(second.tls?.isSessionReused()).toBe(true)
          first.socket.destroy()
          second.socket.destroy()
        }
      }
    },
  )

  it('preferred serves both; an account with use_ssl only with TLS', SLOW, async () => {
    await reload({ tls: { mode: 'preferred', cert: files.cert, key: files.key } })
    await settled(async () => (await outcome(proxy.port)) === null)
    expect(await outcome(proxy.port, over())).toBeNull()
    const account = { username: 'tls_only' }
    expect(await outcome(proxy.port, account)).toMatchObject({
      errno: 1045,
      message: expect.stringContaining("Access denied for user 'tls_only'@"),
    })
    expect(await outcome(proxy.port, { ...account, ...over() })).toBeNull()
  })

  it('off offers no TLS', SLOW, async () => {
    await reload({ tls: { mode: 'off' } })
    await settled(() => outcome(proxy.port, over()).then((error) => error?.message.includes('does not offer') === true))
    expect(await outcome(proxy.port)).toBeNull()
  })
})

describe('a unix socket', () => {
  it('counts as secure where TLS is required, but not with a load balancer behind it', SLOW, async () => {
    const cluster = await sharedCluster('mysql')
    const path = join(dirname(pemFiles({ none: '' }).none), 'clients.sock')
    const proxy = await startProxy(cluster, { listen: [`unix:${path}`], tls: { mode: 'required' } })
    expect(await outcome(0, { path })).toBeNull()
    const config = parse(readFileSync(proxy.configPath, 'utf8')) as Record<string, unknown>
    writeFileSync(proxy.configPath, stringify({ ...config, proxy_protocol_networks: ['localhost'] }))
    process.kill(proxy.pid, 'SIGHUP')
    await until('the setting to be taken', async () => (await outcome(0, { path }))?.errno === REFUSED_INSECURE.errno)
    expect(await outcome(0, { path, ...over() })).toBeNull()
  })
})

describe('a server whose TLS is not as wanted', () => {
  it('is not used, and the client is told why; sluice check says it before', SLOW, async () => {
    const cluster = await sharedCluster('mysql')
    const stranger = await makeAuthority('Another authority')
    const files = pemFiles({ ca: stranger.cert })
    const servers = cluster.servers.map(({ host, port, role }) => ({
      host,
      port,
      hostgroup: role === 'primary' ? 0 : 1,
      ssl_mode: 'VERIFY_CA',
      ...(role === 'primary' && { ssl_ca: join(cluster.primary.datadir, 'ca.pem') }),
    }))
    const proxy = await startProxy(cluster, { servers, backend_tls: { ssl_ca: files.ca } })
    const client: Connection = await proxy.connect()
    expect(
      await value(
        client,
        "SELECT VARIABLE_VALUE <> '' FROM performance_schema.session_status WHERE VARIABLE_NAME = 'Ssl_cipher'",
      ),
    ).toBe(1)
    const replica = cluster.replicas[0]
    const why = `tls: certificate of 127.0.0.1:${replica.port} is not signed by ssl_ca`
    await until('the log to say why', () => proxy.log().some(({ msg }) => String(msg).includes(why)))
    const parts: string[] = []
    const write = (text: string): void => void parts.push(text)
    const status = await runCheck({ configPath: proxy.configPath, json: false, write })
    expect(status).toBe(1)
    expect(parts.join('')).toContain(why)
  })
})
