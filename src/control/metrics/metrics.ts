import type { IncomingMessage, ServerResponse } from 'node:http'
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import type { Logger } from '../../shared/log.js'
import { send, serveHttp } from '../http/http-server.js'
import type { ControlView, RunningService } from '../view.js'
import { METRICS, type MetricDefinition, type Reading, readAll } from './metric-table.js'

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
  return async () => {
    await view.countNow()
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
  const failed = (request: IncomingMessage, response: ServerResponse): void =>
    send(request, response, 500, 'the metrics could not be read\n', TEXT)
  const handler = {
    answer: (request: IncomingMessage, response: ServerResponse) => answer(view, request, response),
    failed,
  }
  return serveHttp('metrics', listen, handler, log)
}

async function answer(view: ControlView, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Nothing here takes a body; what comes of one is thrown away.
  request.resume()
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    return send(request, response, 405, 'expected GET or HEAD\n', TEXT)
  }
  const path = (request.url ?? '').split('?', 1)[0]
  if (path === '/metrics')
    return send(request, response, 200, await metricsText(view), Registry.PROMETHEUS_CONTENT_TYPE)
  if (path === '/healthz') return send(request, response, 200, 'ok\n', TEXT)
  if (path === '/readyz') {
    const { ready, reason } = view.ready()
    return send(request, response, ready ? 200 : 503, ready ? 'ready\n' : `${reason}\n`, TEXT)
  }
  return send(request, response, 404, 'expected /metrics, /healthz or /readyz\n', TEXT)
}
