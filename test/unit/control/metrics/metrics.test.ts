import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { METRICS } from '../../../../src/control/metrics/metric-table.js'
import { metricsText, startMetrics } from '../../../../src/control/metrics/metrics.js'
import type { RunningService } from '../../../../src/control/view.js'
import { LATENCY_BOUNDS_US } from '../../../../src/shared/counters.js'
import { type FixtureOptions, fixtureView } from '../admin/fixture.js'
import { parseExposition } from './exposition.js'

const services: RunningService[] = []

afterEach(async () => {
  for (const service of services.splice(0)) await service.close()
})

async function start(options: FixtureOptions = {}) {
  const service = await startMetrics(fixtureView(options), pino({ level: 'silent' }))
  services.push(service)
  return service.address
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

function ask(address: string, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(`http://${address}${path}`, { method, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text) => {
        body += text
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body }),
      )
    })
    sent.on('error', reject).end()
  })
}

const families = async (options: FixtureOptions = {}) => parseExposition(await metricsText(fixtureView(options)))

describe('/metrics', () => {
  it('is well-formed: every family once, with help and type, no sample twice, counters named _total', async () => {
    const parsed = await families()
    for (const metric of METRICS) expect(parsed.has(metric.name), metric.name).toBe(true)
    for (const [name, { type }] of parsed) {
      if (name.startsWith('sluice_')) expect(name.endsWith('_total'), name).toBe(type === 'counter')
    }
  })

  it('is documented: a line for each metric, with its type and labels', async () => {
    const labelsOf = (text: string) => [...text.matchAll(/\w+/g)].map(([label]) => label).sort()
    const text = readFileSync(new URL('../../../../docs/metrics.md', import.meta.url), 'utf8')
    const documented = [...text.matchAll(/^\| `(sluice_\w+)` \| (\w+) \| ([^|]*)\|/gm)].map(
      ([, name, type, labels]) => ({ name, type, labels: labelsOf(labels) }),
    )
    const parsed = await families()
    const exposed = METRICS.map(({ name, type }) => {
      const [sample] = parsed.get(name)!.samples.keys()
      const labels = [...sample.matchAll(/[{,](\w+)=/g)].map(([, label]) => label).filter((label) => label !== 'le')
      return { name, type, labels: labels.sort() }
    })
    expect(documented).toEqual(exposed)
  })

  it('has the values of the counters', async () => {
    const parsed = await families()
    const value = (name: string, labels = '') => parsed.get(name)?.samples.get(`${name}{${labels}}`)
    expect(value('sluice_client_connections')).toBe(3)
    expect(value('sluice_queries_total', 'class="read",hostgroup="1",server="127.0.0.1:3308"')).toBe(11)
    expect(value('sluice_query_errors_total', 'class="write",hostgroup="0",server="127.0.0.1:3307"')).toBe(1)
    expect(value('sluice_backend_connections', 'hostgroup="0",server="127.0.0.1:3307",state="used"')).toBe(2)
    expect(value('sluice_backend_connection_errors_total', 'hostgroup="0",server="127.0.0.1:3307"')).toBe(4)
    expect(value('sluice_bytes_total', 'direction="received"')).toBe(900)
    expect(value('sluice_proxy_errors_total', 'code="too-many-connections"')).toBe(2)
    expect(value('sluice_workers', 'state="serving"')).toBe(1)
    expect(value('sluice_workers_cpu_seconds_total')).toBe(1.5)
    expect(value('sluice_snapshot_version')).toBe(7)
  })

  it('has a histogram in seconds whose buckets are cumulative and end in the count', async () => {
    const { samples } = (await families()).get('sluice_query_duration_seconds')!
    const labels = 'class="write",hostgroup="0"'
    const bucket = (le: string) =>
      samples.get(`sluice_query_duration_seconds_bucket{${labels},le="${le}",server="127.0.0.1:3307"}`)
    expect(LATENCY_BOUNDS_US.map((bound) => bucket(String(bound / 1e6)))).toEqual([1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3])
    expect(bucket('+Inf')).toBe(3)
    expect(samples.get(`sluice_query_duration_seconds_count{${labels},server="127.0.0.1:3307"}`)).toBe(3)
    expect(samples.get(`sluice_query_duration_seconds_sum{${labels},server="127.0.0.1:3307"}`)).toBe(0.006)
  })

  it('tells which servers are up, their status, and their lag unless it is unknown', async () => {
    const parsed = await families()
    expect([...parsed.get('sluice_server_up')!.samples.values()]).toEqual([1, 1, 0])
    const lag = parsed.get('sluice_replication_lag_seconds')!.samples
    expect(Object.fromEntries(lag)).toEqual({
      'sluice_replication_lag_seconds{server="127.0.0.1:3307"}': 0,
      'sluice_replication_lag_seconds{server="127.0.0.1:3308"}': 0.25,
    })
    const status = [...parsed.get('sluice_server_status')!.samples].filter(([, value]) => value === 1)
    expect(status.map(([key]) => /status="(\w+)"/.exec(key)?.[1])).toEqual(['ONLINE', 'ONLINE', 'SHUNNED'])
  })
})

describe('the metrics port', () => {
  it('answers GET and HEAD on /metrics, /healthz and /readyz, and nothing else', async () => {
    const address = await start()
    const metrics = await ask(address, '/metrics?name=x')
    expect(metrics).toMatchObject({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' })
    expect(parseExposition(metrics.body).size).toBeGreaterThan(METRICS.length)
    expect(await ask(address, '/metrics', 'HEAD')).toMatchObject({ status: 200, body: '' })
    expect(await ask(address, '/healthz')).toMatchObject({ status: 200, body: 'ok\n' })
    expect(await ask(address, '/readyz')).toMatchObject({ status: 200, body: 'ready\n' })
    for (const path of ['/', '/metrics/', '/Metrics', '/favicon.ico']) {
      expect((await ask(address, path)).status).toBe(404)
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect((await ask(address, '/metrics', method)).status).toBe(405)
    }
  })

  it('says why clients cannot be served while the process is well', async () => {
    const address = await start({ ready: { ready: false, reason: 'no writable server in hostgroup 0' } })
    expect(await ask(address, '/readyz')).toMatchObject({ status: 503, body: 'no writable server in hostgroup 0\n' })
    expect((await ask(address, '/healthz')).status).toBe(200)
  })

  it('refuses headers that are too large', async () => {
    const address = await start()
    const [host, port] = address.split(':')
    const status = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), host, () =>
        socket.write(`GET /metrics HTTP/1.1\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`),
      )
      socket
        .on('error', () => {})
        .once('data', (data) => {
          resolve(data.toString().split('\r\n')[0])
          socket.destroy()
        })
    })
    expect(status).toBe('HTTP/1.1 431 Request Header Fields Too Large')
  })

  it('says which address it could not bind', async () => {
    const taken = await start()
    const view = fixtureView()
    const port = Number(taken.split(':')[1])
    const config = { ...view.config, metrics: { listen: { host: '127.0.0.1', port } } }
    await expect(startMetrics({ ...view, config }, pino({ level: 'silent' }))).rejects.toMatchObject({
      code: 'EADDRINUSE',
      port,
    })
  })
})
