import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import type { Logger } from '../shared/log.js'
import { formatListenAddress } from './addresses.js'
import { METRICS, type MetricDefinition, type Reading, readAll } from './metric-table.js'
import type { ControlView, RunningService } from './view.js'

/** A scraper sends a few hundred bytes of headers, at once. */
const HEADERS_SIZE_MAX = 8 << 10
const HEADERS_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 65_000
const CONNECTIONS_MAX = 100

const TEXT = 'text/plain; charset=utf-8'

const registries = new WeakMap<ControlView, () => Promise<string>>()

/** All metrics in Prometheus' text format, as `/metrics` has them. */
export function metricsText(view: ControlView): Promise<string> {
  let text = registries.get(view)
  if (text === undefined) {
    text = newExposition(view)
    registries.set(view, text)
  }
  return text()
}

/**
 * prom-client keeps values in its own objects, but ours are counted in the workers, and a Histogram cannot be set from
 * outside. Its registry asks a metric for nothing but `get()`, so ours read the counters there.
 */
function newExposition(view: ControlView): () => Promise<string> {
  const registry = new Registry()
  let reading: Reading = readAll(view)
  for (const definition of METRICS) registry.registerMetric(readMetric(definition, () => reading))
  collectDefaultMetrics({ register: registry })
  return () => {
    reading = readAll(view)
    return registry.metrics()
  }
}

function readMetric({ name, help, type, read }: MetricDefinition, reading: () => Reading): Metric {
  const get = async () => ({
    name,
    help,
    type,
    values: read(reading()).map((sample) => ({ ...sample, metricName: sample.name })),
  })
  return { name, help, type, get } as unknown as Metric
}

/**
 * Serves `/metrics`, `/healthz` (this process is alive) and `/readyz` (clients can be served; 503 with the reason
 * otherwise) over HTTP. Rejects when the address cannot be bound.
 */
export async function startMetrics(view: ControlView, log: Logger): Promise<RunningService> {
  const listen = view.config.metrics?.listen
  if (listen === undefined) throw new Error('the configuration has no metrics port')
  const server = createServer(
    {
      maxHeaderSize: HEADERS_SIZE_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      void answer(view, request, response).catch((error: unknown) => {
        log.error({ err: error }, 'a request to the metrics port failed')
        if (!response.headersSent) send(request, response, 500, 'the metrics could not be read\n')
        else response.destroy()
      })
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: listen.host, port: listen.port }, resolve)
  })
  server.on('error', (error) => log.error({ err: error }, 'the metrics port failed'))
  const { address, port } = server.address() as AddressInfo
  return { address: formatListenAddress({ host: address, port }), close: () => close(server) }
}

async function answer(view: ControlView, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Nothing here takes a body; what comes of one is thrown away.
  request.resume()
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    return send(request, response, 405, 'expected GET or HEAD\n')
  }
  const path = (request.url ?? '').split('?', 1)[0]
  if (path === '/metrics')
    return send(request, response, 200, await metricsText(view), Registry.PROMETHEUS_CONTENT_TYPE)
  if (path === '/healthz') return send(request, response, 200, 'ok\n')
  if (path === '/readyz') {
    const { ready, reason } = view.ready()
    return send(request, response, ready ? 200 : 503, ready ? 'ready\n' : `${reason}\n`)
  }
  return send(request, response, 404, 'expected /metrics, /healthz or /readyz\n')
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: string,
  contentType: string = TEXT,
): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)))
    server.closeAllConnections()
  })
}
