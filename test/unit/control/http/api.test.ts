import { request } from 'node:http'
import { connect } from 'node:net'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import type { AuditEntry } from '../../../../src/control/audit-log.js'
import { startApi } from '../../../../src/control/http/api.js'
import { BODY_BYTES_MAX } from '../../../../src/control/http/body.js'
import { ROUTES } from '../../../../src/control/http/routes.js'
import type { WriterVerdict } from '../../../../src/control/topology/writer-confirmation.js'
import type { ControlView, RunningService } from '../../../../src/control/view.js'
import { UsageError } from '../../../../src/shared/errors.js'
import { OpenApi } from '../../../helpers/openapi.js'
import { fixtureView } from '../admin/fixture.js'

const TOKEN = 'a-token-of-twenty-two-c'
const openApi = new OpenApi(new URL('../../../../docs/openapi.yaml', import.meta.url))
const services: RunningService[] = []

afterEach(async () => {
  for (const service of services.splice(0)) await service.close()
})

interface Behaviour {
  readonly token?: string | null
  readonly fileProblem?: string
  readonly verdict?: WriterVerdict
}

/** A proxy whose store and monitor answer as told; `asked` is what they were asked. */
async function start({ token = TOKEN, fileProblem, verdict = { kind: 'writer', hostgroup: 0 } }: Behaviour = {}) {
  const asked: unknown[][] = []
  const logged: string[] = []
  const audited: AuditEntry[] = []
  const base = fixtureView({ audit: { write: (entry) => audited.push(entry), reopen: () => {} } })
  const store = {
    setServerStatus: async (...args: unknown[]) => {
      asked.push(['setServerStatus', ...args])
      return args[0] === '127.0.0.1' || args[0] === '::1' ? ['a warning'] : null
    },
    reload: async () => {
      asked.push(['reload'])
      if (fileProblem !== undefined) throw new UsageError(fileProblem)
      return { changed: ['MYSQL SERVERS'], warnings: [] }
    },
  }
  const view = {
    ...base,
    store,
    config: { ...base.config, api: { listen: { host: '127.0.0.1', port: 0 }, token } },
    confirmWriter: async (...args: unknown[]) => {
      asked.push(['confirmWriter', ...args])
      return verdict
    },
  } as unknown as ControlView
  const service = await startApi(view, pino({ level: 'info' }, { write: (line: string) => void logged.push(line) }))
  services.push(service)
  return { address: service.address, asked, logged, audited, events: () => base.events() }
}

interface Ask {
  readonly body?: string
  readonly headers?: Record<string, string>
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: unknown
  readonly code: string | undefined
}

function ask(address: string, name: string, { body, headers = {} }: Ask = {}): Promise<Answer> {
  const [method, path] = name.split(' ')
  const shown = { Authorization: `Bearer ${TOKEN}`, ...(body !== undefined && { 'Content-Type': 'application/json' }) }
  return new Promise((resolve, reject) => {
    const sent = request(
      `http://${address}${path}`,
      { method, agent: false, headers: { ...shown, ...headers } },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => {
          const parsed = text === '' ? null : (JSON.parse(text) as { error?: { code: string } })
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: parsed,
            code: parsed?.error?.code,
          })
        })
      },
    )
    sent.on('error', reject).end(body)
  })
}

const event = (more: object = {}): string => JSON.stringify({ new_primary: '127.0.0.1:3308', ...more })
const FAILOVER = 'POST /v1/events/failover'
const DRAIN = 'POST /v1/servers/{host}:{port}/drain'
const ENABLE = 'POST /v1/servers/{host}:{port}/enable'

describe('docs/openapi.yaml', () => {
  it('has the routes that there are, with what they take', () => {
    expect(openApi.operations().sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).sort())
    for (const { method, path, takesBody } of ROUTES)
      expect(openApi.operation(`${method} ${path}`).requestBody !== undefined, path).toBe(takesBody)
  })

  /** Operation, how it is asked, status, and how the proxy behaves. Every status that is described is here, and no other. */
  const CASES: readonly [string, Ask, number, Behaviour?][] = [
    ...openApi.operations().flatMap((name): [string, Ask, number, Behaviour?][] => [
      [name, name === FAILOVER ? { body: event() } : {}, 200],
      [name, { headers: { Authorization: 'Bearer another-token-altogether' } }, 401],
      [name, { headers: { Host: 'evil.example' } }, 403, { token: null }],
    ]),
    [DRAIN, { body: '{}' }, 400],
    [ENABLE, { body: '{}' }, 400],
    ['POST /v1/reload', {}, 422, { fileProblem: 'sluice.yaml:3: workers: expected auto' }],
    [FAILOVER, { body: '[]' }, 400],
    [FAILOVER, { body: event() }, 404, { verdict: { kind: 'unknown' } }],
    [FAILOVER, { body: event() }, 409, { verdict: { kind: 'other', why: 'read_only = 1' } }],
    [FAILOVER, { body: `"${'x'.repeat(BODY_BYTES_MAX)}"` }, 413],
    [FAILOVER, { body: event(), headers: { 'Content-Type': 'text/plain' } }, 415],
  ]
  const concrete = (name: string, status: number): string =>
    name.replace('{host}', status === 404 ? '10.9.9.9' : '127.0.0.1').replace('{port}', '3308')

  it.each([...CASES, [DRAIN, {}, 404], [ENABLE, {}, 404]] as typeof CASES)(
    'describes the answer of %s, asked with %j: %i',
    async (name, how, status, behaviour) => {
      const { address } = await start(behaviour)
      const answer = await ask(address, concrete(name, status), how)
      expect(answer.status).toBe(status)
      expect(openApi.problems(name, answer.status, answer.body)).toEqual([])
    },
  )

  it('describes no status that cannot come', () => {
    for (const name of openApi.operations()) {
      const seen = new Set(
        [...CASES, [DRAIN, {}, 404], [ENABLE, {}, 404]].flatMap((one) => (one[0] === name ? [String(one[2])] : [])),
      )
      seen.add('429') // below
      expect(openApi.statuses(name).sort(), name).toEqual([...seen].sort())
    }
  })

  it('describes the answer to somebody who guesses', async () => {
    const { address } = await start()
    const wrong = { headers: { Authorization: 'Bearer another-token-altogether' } }
    for (let i = 0; i < 10; i++) expect((await ask(address, 'GET /v1/servers', wrong)).status).toBe(401)
    const answer = await ask(address, 'GET /v1/servers')
    expect(answer.status).toBe(429)
    expect(answer.headers['retry-after']).toBe('1')
    for (const name of openApi.operations()) expect(openApi.problems(name, 429, answer.body)).toEqual([])
  })

  it('has an example that is accepted, and says what else is', async () => {
    const example = openApi.requestExample(FAILOVER)
    const { address, asked } = await start()
    expect((await ask(address, FAILOVER, { body: JSON.stringify(example) })).status).toBe(200)
    expect(asked).toEqual([['confirmWriter', '10.0.0.2:3306', 5000]])
    const bodies: unknown[] = [
      {},
      { new_primary: 1 },
      { new_primary: 'a:1', x: 1 },
      { new_primary: 'a:1', wait_ms: 60_001 },
      [],
    ]
    for (const body of [...bodies, example, { new_primary: 'a:1', wait_ms: 0 }]) {
      const { status } = await ask(address, FAILOVER, { body: JSON.stringify(body) })
      expect(openApi.requestProblems(FAILOVER, body).length === 0, JSON.stringify(body)).toBe(status === 200)
    }
  })
})

describe('the API', () => {
  it('tells the topology', async () => {
    const { address } = await start()
    const { body } = await ask(address, 'GET /v1/topology?pretty')
    expect(body).toMatchObject({
      version: 7,
      ready: true,
      pairs: [{ writer: '127.0.0.1:3307', readers: ['127.0.0.1:3308', '127.0.0.1:3309'] }],
    })
    expect((body as { servers: object[] }).servers[2]).toMatchObject({
      server: '127.0.0.1:3309',
      status: 'SHUNNED',
      status_reason: 'no answer',
      alive: false,
      lag_ms: null,
      version: null,
    })
  })

  it('tells servers and what they have counted', async () => {
    const { address } = await start()
    const { body } = await ask(address, 'GET /v1/servers')
    const counted = { used: 2, free: 1, opened: 9, failed: 4 }
    expect((body as { servers: object[] }).servers[0]).toMatchObject({ port: 3307, connections: counted, queries: 3 })
  })

  it('drains and enables a server, named as it is in a URL', async () => {
    const { address, asked } = await start()
    const drained = await ask(address, 'POST /v1/servers/127.0.0.1:3308/drain')
    expect(drained.body).toEqual({ server: '127.0.0.1:3308', status: 'OFFLINE_SOFT', warnings: ['a warning'] })
    await ask(address, 'POST /v1/servers/[::1]:3308/enable')
    await ask(address, 'POST /v1/servers/%5B::1%5D:3308/enable')
    expect(asked).toEqual([
      ['setServerStatus', '127.0.0.1', 3308, 'OFFLINE_SOFT'],
      ['setServerStatus', '::1', 3308, 'ONLINE'],
      ['setServerStatus', '::1', 3308, 'ONLINE'],
    ])
  })

  it.each<[string, Ask, number, string, RegExp]>([
    ['GET /', {}, 404, 'unknown-path', /expected one of \/v1\/topology,/],
    ['GET /v1/topology/', {}, 404, 'unknown-path', /expected one of/],
    ['POST /v1/topology', {}, 405, 'method-not-allowed', /^expected GET, HEAD$/],
    ['GET /v1/reload', {}, 405, 'method-not-allowed', /^expected POST$/],
    ['DELETE /v1/servers', {}, 405, 'method-not-allowed', /^expected GET, HEAD$/],
    ['POST /v1/servers/a:0/drain', {}, 400, 'bad-server', /^expected host:port/],
    ['POST /v1/servers/a:x/drain', {}, 400, 'bad-server', /^expected host:port/],
    ['POST /v1/servers/::1:3306/drain', {}, 400, 'bad-server', /brackets around an IPv6 address/],
    ['POST /v1/servers/%ff:1/drain', {}, 400, 'bad-path', /whole %XX sequences/],
    ['POST /v1/reload', { body: 'x' }, 400, 'bad-body', /^expected no body$/],
    [FAILOVER, { body: '{' }, 400, 'bad-body', /^expected a JSON text$/],
    [FAILOVER, { body: 'null' }, 400, 'bad-body', /^expected an object with new_primary$/],
    [FAILOVER, { body: '{}' }, 400, 'bad-body', /^new_primary: expected host:port$/],
    [FAILOVER, { body: event({ to: 1 }) }, 400, 'bad-body', /^unknown key "to"; known here: new_primary,/],
    [FAILOVER, { body: event({ wait_ms: 60_001 }) }, 400, 'bad-body', /^wait_ms: expected at most 60000$/],
    [FAILOVER, { body: event({ new_primary: 'here' }) }, 400, 'bad-body', /^new_primary: expected host:port$/],
    [FAILOVER, {}, 415, 'not-json', /^expected Content-Type: application\/json$/],
  ])('answers %s with %j by %i %s', async (name, how, status, code, message) => {
    const { address, asked } = await start()
    const answer = await ask(address, name, how)
    expect([answer.status, answer.code]).toEqual([status, code])
    expect((answer.body as { error: { message: string } }).error.message).toMatch(message)
    expect(answer.headers['allow'] !== undefined).toBe(status === 405)
    expect(asked).toEqual([])
  })

  it('tells nobody without the token what there is, and says how to show it', async () => {
    const { address } = await start()
    for (const name of ['GET /', 'DELETE /v1/topology', 'GET /v1/topology']) {
      const answer = await ask(address, name, { headers: { Authorization: '' } })
      expect([answer.status, answer.code]).toEqual([401, 'token-missing'])
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="sluice"')
    }
  })

  it('answers HEAD as GET, without a body', async () => {
    const { address } = await start()
    const answer = await ask(address, 'HEAD /v1/servers')
    expect([answer.status, answer.body]).toEqual([200, null])
  })

  it('reads no more of a body than it takes, announced or not', async () => {
    const { address } = await start()
    const port = Number(address.split(':')[1])
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('error', () => {}) // it may be closed while we still write
      socket.on('close', () => (text === '' ? reject(new Error('no answer')) : resolve(text)))
      socket.write(
        `POST /v1/events/failover HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n` +
          'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
      )
      const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`
      for (let sent = 0; sent <= BODY_BYTES_MAX; sent += 0x1000) socket.write(chunk)
    })
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('"code":"body-too-large"')
  })

  it('notes who has changed what, and no token', async () => {
    const { address, logged } = await start({ verdict: { kind: 'other', why: 'read_only = 1 on it' } })
    await ask(address, 'POST /v1/reload')
    await ask(address, FAILOVER, { body: event({ reason: 'DeadMaster', old_primary: 'a:1' }) })
    await ask(address, 'GET /v1/servers')
    const lines = logged.map((line) => JSON.parse(line) as { client: string; msg: string })
    expect(lines.map(({ client, msg }) => [client, msg])).toEqual([
      ['127.0.0.1', 'failover: 127.0.0.1:3308 is named the new primary (old one: a:1; reason: DeadMaster)'],
      ['127.0.0.1', 'POST /v1/events/failover: read_only = 1 on it'],
    ])
    expect(logged.join('')).not.toContain(TOKEN)
  })

  it('has what was asked to be changed, and wrong tokens, in the audit log, and what was changed among the events', async () => {
    const { address, audited, events } = await start()
    const before = events().length
    await ask(address, 'POST /v1/servers/127.0.0.1:3308/drain')
    await ask(address, 'POST /v1/servers/10.9.9.9:1/enable')
    await ask(address, FAILOVER, { body: event() })
    await ask(address, 'POST /v1/reload', { headers: { Authorization: 'Bearer another-token-altogether' } })
    await ask(address, 'POST /v1/reload', { headers: { Authorization: '' } })
    await ask(address, 'GET /v1/servers')
    const by = { user: 'api', address: '127.0.0.1' }
    expect(audited).toEqual([
      { action: 'request', ...by, statement: 'POST /v1/servers/127.0.0.1:3308/drain', outcome: 'ok' },
      {
        action: 'request',
        ...by,
        statement: 'POST /v1/servers/10.9.9.9:1/enable',
        outcome: 'error 404 (unknown-server)',
      },
      { action: 'request', ...by, statement: `${FAILOVER} {"new_primary":"127.0.0.1:3308"}`, outcome: 'ok' },
      { action: 'login', ...by, outcome: 'error 401 (token-wrong)' },
    ])
    expect(events().slice(before)).toMatchObject([
      { kind: 'config', what: 'POST /v1/servers/127.0.0.1:3308/drain', who: 'api@127.0.0.1' },
      { kind: 'config', what: `${FAILOVER} {"new_primary":"127.0.0.1:3308"}` },
    ])
  })
})
