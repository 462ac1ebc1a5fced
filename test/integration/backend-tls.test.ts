import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { Capability, encodeGreeting, encodeQuery, frame } from '../../protocol/index.js'
import { ProbeConnection } from '../../src/control/monitor/probe.js'
import type { Cluster, Engine } from '../../src/sandbox/index.js'
import type { ProxyProtocol, ServerTls, SslMode } from '../../src/shared/snapshot.js'
import type { Backend, BackendTarget } from '../../src/worker/backend/backend.js'
import { connectBackend } from '../../src/worker/backend/backend-connect.js'
import type { BackendLogin } from '../../src/worker/backend/backend-login.js'
import { KnownServer } from '../../src/worker/routing/known-server.js'
import { type Certificate, makeAuthority, makeCertificate, pemFiles } from '../helpers/certificates.js'
import { ownCluster, sharedCluster } from '../helpers/cluster.js'
import { PLAIN_CAPABILITIES, payloads } from '../helpers/raw-client.js'

const SLOW = { timeout: 120_000 }
const LOGIN: BackendLogin = {
  username: 'app',
  password: 'app',
  database: '',
  collation: 45,
  capabilities: PLAIN_CAPABILITIES,
  mariadbCapabilities: 0,
  attributes: undefined,
}

function settings(mode: SslMode, ca: string | null = null, pair: Certificate | null = null): ServerTls {
  return { mode, ca, cert: pair?.cert ?? null, key: pair?.key ?? null }
}

let flavor: Engine = 'mysql'

function targetAt(
  port: number,
  tls: ServerTls,
  host = '127.0.0.1',
  proxyProtocol: ProxyProtocol = 'off',
): BackendTarget {
  const id = port === 0 ? host : `${host}:${port}`
  return {
    id,
    hostgroup: 0,
    host,
    port,
    tls,
    proxyProtocol,
    flavor,
    compression: 'off',
    initConnect: [],
    known: new KnownServer(id),
  }
}

/** What both ways to a server say: `TLS`, `plain`, or the error. */
async function both(cluster: Cluster, target: BackendTarget): Promise<{ worker: string; monitor: string }> {
  const said = (work: Promise<string>): Promise<string> => work.catch((error: Error) => error.message)
  return { worker: await said(asWorker(target)), monitor: await said(asMonitor(cluster, target)) }
}

async function asWorker(target: BackendTarget): Promise<string> {
  const backend = await connectBackend(target, LOGIN, 5000)
  try {
    return named(await statusOf(backend, 'Ssl_cipher'))
  } finally {
    backend.quit()
  }
}

async function asMonitor(cluster: Cluster, target: BackendTarget): Promise<string> {
  const { user, password } = cluster.accounts.monitor
  const connection = await ProbeConnection.open({ ...target, user, password, connectTimeoutMs: 5000 })
  try {
    const [[row]] = await connection.query(["SHOW SESSION STATUS LIKE 'Ssl_cipher'"], 5000)
    return named(String(row['Value']))
  } finally {
    connection.close()
  }
}

const named = (cipher: string): string => (cipher === '' ? 'plain' : 'TLS')
const alike = (text: string) => ({ worker: text, monitor: text })

describe.each<Engine>(['mysql', 'mariadb'])('TLS towards %s', (engine) => {
  let cluster: Cluster
  let authority: Certificate
  let stranger: Certificate
  let files: Record<'ca' | 'cert' | 'key', string>
  let port: number
  const run = (sql: string): Promise<unknown> => cluster.execute(cluster.primary, sql)

  /** Gives the server another certificate without a restart. */
  async function use(certificate: Certificate, issuer = authority): Promise<void> {
    const paths = pemFiles({ ca: issuer.cert, cert: certificate.cert, key: certificate.key })
    if (engine === 'mariadb') {
      // MariaDB's paths are fixed at the start: the files' content is exchanged.
      writeFileSync(files.cert, certificate.cert)
      writeFileSync(files.key, certificate.key)
      await run('FLUSH SSL')
      return
    }
    await run(`SET GLOBAL ssl_ca = '${paths.ca}', ssl_cert = '${paths.cert}', ssl_key = '${paths.key}'`)
    await run('ALTER INSTANCE RELOAD TLS')
  }

  beforeAll(async () => {
    flavor = engine
    authority = await makeAuthority('Sluice test authority')
    stranger = await makeAuthority('Another authority')
    const first = await makeCertificate('db1', authority, { names: ['localhost'], addresses: ['127.0.0.1'] })
    files = pemFiles({ ca: authority.cert, cert: first.cert, key: first.key })
    const serverOptions =
      engine === 'mariadb'
        ? [`--ssl-ca=${files.ca}`, `--ssl-cert=${files.cert}`, `--ssl-key=${files.key}`, '--ssl=ON']
        : []
    cluster = await ownCluster(engine, { replicas: 0, serverOptions })
    port = cluster.primary.port
  }, SLOW.timeout)

  it('is used by the mode, over TCP and over the socket', SLOW, async () => {
    await use(await makeCertificate('db1', authority, { names: ['localhost'], addresses: ['127.0.0.1'] }))
    expect(await both(cluster, targetAt(port, settings('disabled')))).toEqual(alike('plain'))
    expect(await both(cluster, targetAt(port, settings('preferred')))).toEqual(alike('TLS'))
    expect(await both(cluster, targetAt(port, settings('required')))).toEqual(alike('TLS'))
    expect(await both(cluster, targetAt(port, settings('verify_ca', authority.cert)))).toEqual(alike('TLS'))
    expect(await both(cluster, targetAt(port, settings('verify_identity', authority.cert)))).toEqual(alike('TLS'))
    const byName = targetAt(port, settings('verify_identity', authority.cert), 'localhost')
    expect(await both(cluster, byName)).toEqual(alike('TLS'))
    const { socket } = cluster.primary
    expect(await both(cluster, targetAt(0, settings('preferred'), socket))).toEqual(alike('plain'))
    expect(await both(cluster, targetAt(0, settings('verify_identity', authority.cert), socket))).toEqual(alike('TLS'))
  })

  it('is refused with the certificate of another authority, or one that has signed itself', SLOW, async () => {
    const id = `127.0.0.1:${port}`
    await use(await makeCertificate('db1', stranger, { addresses: ['127.0.0.1'] }), stranger)
    for (const mode of ['verify_ca', 'verify_identity'] as const) {
      // MySQL sends the authority's certificate along.
      const why = engine === 'mysql' ? 'another authority has signed it' : 'its issuer is not in the file'
      expect(await both(cluster, targetAt(port, settings(mode, authority.cert)))).toEqual(
        alike(`tls: certificate of ${id} is not signed by ssl_ca (${why}; ssl_mode ${mode})`),
      )
    }
    expect(await both(cluster, targetAt(port, settings('required', authority.cert)))).toEqual(alike('TLS'))
    const alone = await makeCertificate('db1', null, { addresses: ['127.0.0.1'] })
    await use(alone, alone)
    expect(await both(cluster, targetAt(port, settings('verify_ca', authority.cert)))).toEqual(
      alike(`tls: certificate of ${id} is not signed by ssl_ca (self-signed certificate; ssl_mode verify_ca)`),
    )
  })

  it('is refused with the certificate of another host, by name and by address', SLOW, async () => {
    await use(await makeCertificate('db2', authority, { addresses: ['127.0.0.2'] }))
    const tls = settings('verify_identity', authority.cert)
    for (const host of ['127.0.0.1', 'localhost']) {
      const { worker, monitor } = await both(cluster, targetAt(port, tls, host))
      expect(worker).toContain(`tls: certificate of ${host}:${port} is for another host: `)
      expect(worker).toContain('(ssl_mode verify_identity)')
      expect(monitor).toContain(`tls: certificate of ${host}:${port} is for another host: `)
    }
    expect(await both(cluster, targetAt(port, settings('verify_ca', authority.cert)))).toEqual(alike('TLS'))
  })

  // MySQL does not even load one.
  it.runIf(engine === 'mariadb')('is refused with a certificate that has expired', SLOW, async () => {
    await use(await makeCertificate('db1', authority, { addresses: ['127.0.0.1'], from: -10, to: -1 }))
    expect(await both(cluster, targetAt(port, settings('verify_ca', authority.cert)))).toEqual(
      alike(`tls: certificate of 127.0.0.1:${port} has expired (ssl_mode verify_ca)`),
    )
    expect(await both(cluster, targetAt(port, settings('required')))).toEqual(alike('TLS'))
  })

  it('shows a certificate of its own where the account asks for one', SLOW, async () => {
    await use(await makeCertificate('db1', authority, { addresses: ['127.0.0.1'] }))
    await run("CREATE USER x509@'%' IDENTIFIED BY 'x509' REQUIRE X509")
    const client = await makeCertificate('sluice', authority)
    const login = async (tls: ServerTls): Promise<string> => {
      const account = { ...LOGIN, username: 'x509', password: 'x509' }
      const backend = await connectBackend(targetAt(port, tls), account, 5000)
      backend.quit()
      return 'let in'
    }
    expect(await login(settings('verify_ca', authority.cert, client))).toBe('let in')
    await expect(login(settings('verify_ca', authority.cert))).rejects.toThrow("Access denied for user 'x509'")
    const foreign = await makeCertificate('sluice', stranger)
    await expect(login(settings('verify_ca', authority.cert, foreign))).rejects.toThrow(
      /^tls: handshake with 127\.0\.0\.1:\d+ failed: .*\(ssl_mode verify_ca\)$/,
    )
  })

  // MariaDB 10.11 lets nobody resume a session.
  it.runIf(engine === 'mysql')('resumes its session on the next connection', SLOW, async () => {
    await use(await makeCertificate('db1', authority, { addresses: ['127.0.0.1'] }))
    const target = targetAt(port, settings('verify_identity', authority.cert))
    const first = await connectBackend(target, LOGIN, 5000)
    // The session comes with the server's first answers.
    await statusOf(first, 'Ssl_cipher')
    const second = await connectBackend(target, LOGIN, 5000)
    expect(await statusOf(first, 'Ssl_sessions_reused')).toBe('0')
    expect(await statusOf(second, 'Ssl_sessions_reused')).toBe('1')
    first.quit()
    second.quit()
  })
})

describe('a server without TLS', () => {
  /** A server that greets and keeps what it is sent. */
  async function listening(capabilities: number): Promise<{ port: number; received: () => Buffer; close: () => void }> {
    const parts: Buffer[] = []
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      sockets.push(socket)
      socket.on('error', () => {})
      socket.on('data', (chunk) => parts.push(chunk))
      const greeting = {
        serverVersion: '9.7.0',
        connectionId: 1,
        scramble: Buffer.alloc(20, 7),
        capabilities,
        mariadbCapabilities: 0,
        collation: 255,
        status: 2,
        authPlugin: 'caching_sha2_password',
      }
      socket.write(frame(encodeGreeting(greeting), 0))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const close = (): void => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
    return { port: (server.address() as { port: number }).port, received: () => Buffer.concat(parts), close }
  }

  const OFFERS = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH

  it.each(['required', 'verify_ca', 'verify_identity'] as const)('gets not one byte with %s', SLOW, async (mode) => {
    const server = await listening(OFFERS)
    const { cert } = await makeAuthority('any')
    const target = targetAt(server.port, settings(mode, cert))
    const message = `tls: 127.0.0.1:${server.port} does not offer TLS (ssl_mode ${mode})`
    await expect(connectBackend(target, LOGIN, 2000)).rejects.toMatchObject({ message, err: null })
    const account = { user: 'monitor', password: 'monitor', connectTimeoutMs: 2000 }
    await expect(ProbeConnection.open({ ...target, ...account })).rejects.toMatchObject({
      kind: 'unreachable',
      message,
    })
    expect(server.received().length).toBe(0)
    server.close()
  })

  it(
    'that says it has TLS and speaks none gets the request for it and a hello, no name and no password',
    SLOW,
    async () => {
      const server = await listening(OFFERS | Capability.SSL)
      await expect(connectBackend(targetAt(server.port, settings('required')), LOGIN, 500)).rejects.toThrow(
        'no login within',
      )
      const bytes = server.received()
      expect(bytes.readUIntLE(0, 3)).toBe(32)
      expect(bytes[36]).toBe(0x16) // a TLS handshake record
      expect(bytes.includes('app')).toBe(false)
      server.close()
    },
  )

  it('that puts bytes between its greeting and TLS is left', SLOW, async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      const greeting = {
        serverVersion: '9.7.0',
        connectionId: 1,
        scramble: Buffer.alloc(20, 7),
        capabilities: OFFERS | Capability.SSL,
        mariadbCapabilities: 0,
        collation: 255,
        status: 2,
        authPlugin: 'caching_sha2_password',
      }
      socket.write(Buffer.concat([frame(encodeGreeting(greeting), 0), frame(Buffer.from([0, 0, 0, 2, 0, 0, 0]), 2)]))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    await expect(connectBackend(targetAt(port, settings('required')), LOGIN, 2000)).rejects.toThrow(
      `tls: 127.0.0.1:${port} sent more than its greeting before TLS`,
    )
    server.close()
  })
})

describe('a MySQL server with the certificates that it has made itself', () => {
  it('passes verify_ca with its ca.pem, and not verify_identity', SLOW, async () => {
    flavor = 'mysql'
    const cluster = await sharedCluster('mysql')
    const { port, datadir } = cluster.primary
    const ca = readFileSync(join(datadir, 'ca.pem'), 'utf8')
    expect(await both(cluster, targetAt(port, settings('verify_ca', ca)))).toEqual(alike('TLS'))
    const { worker, monitor } = await both(cluster, targetAt(port, settings('verify_identity', ca)))
    expect(worker).toContain('is for another host: ')
    expect(monitor).toContain('is for another host: ')
  })
})

/** Value of a status variable, as text. */
async function statusOf(backend: Backend, name: string): Promise<string> {
  const parts: Buffer[] = []
  await new Promise<void>((resolve, reject) => {
    backend.begin({
      // The chunk is the whole of a buffer that is read into again and again.
      received: (chunk, from, _event, { follower }) =>
        void parts.push(Buffer.from(chunk.subarray(from, follower.next))),
      finished: () => resolve(),
      lost: (_backend, reason) => reject(new Error(reason)),
      crashed: reject,
    })
    backend.write(encodeQuery(`SHOW SESSION STATUS LIKE '${name}'`, backend.capabilities))
  })
  // Column count, two definitions and their end, the row (the name, and the value behind its length), the end.
  const row = payloads(Buffer.concat(parts))[4]
  return row.toString('latin1', name.length + 2)
}
