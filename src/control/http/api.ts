import type { IncomingMessage, ServerResponse } from 'node:http'
import { monotonicMs } from '../../shared/clock.js'
import type { Logger } from '../../shared/log.js'
import { plainAddress } from '../../shared/networks.js'
import type { ControlView, RunningService } from '../view.js'
import { ApiError } from './api-error.js'
import { Authorization } from './authorization.js'
import { parseJson, readBody } from './body.js'
import { send, serveHttp } from './http-server.js'
import { findRoute, ROUTES } from './routes.js'

/** Stands for the account in the audit log and in events: there is one token. */
const API_USER = 'api'
const AUDITED_LENGTH_MAX = 2000
const JSON_TYPE = 'application/json; charset=utf-8'

/** Serves the HTTP API (docs/http-api.md). Rejects when the address cannot be bound. */
export async function startApi(view: ControlView, log: Logger): Promise<RunningService> {
  const { api } = view.config
  if (api === null) throw new Error('the configuration has no HTTP API')
  const authorization = new Authorization(api.token)
  return serveHttp(
    'API',
    api.listen,
    {
      answer: (request, response) => answer(view, authorization, request, response, log),
      failed: (request, response) =>
        sendError(request, response, new ApiError(500, 'internal', 'the request failed; the log says why')),
    },
    log,
  )
}

async function answer(
  view: ControlView,
  authorization: Authorization,
  request: IncomingMessage,
  response: ServerResponse,
  log: Logger,
): Promise<void> {
  try {
    const body = await respond(view, authorization, request, log)
    send(request, response, 200, `${JSON.stringify(body)}\n`, JSON_TYPE)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    sendError(request, response, error)
  } finally {
    // What was not read of a body is thrown away.
    request.resume()
  }
}

async function respond(
  view: ControlView,
  authorization: Authorization,
  request: IncomingMessage,
  log: Logger,
): Promise<unknown> {
  const method = request.method ?? ''
  const address = plainAddress(request.socket.remoteAddress ?? '')
  const { authorization: shown, host, 'content-type': contentType } = request.headers
  // Before anything else: who may not ask learns nothing of what there is.
  try {
    authorization.check({ method, address, authorization: shown, host }, monotonicMs())
  } catch (error) {
    // As a login that failed; whoever goes on guessing has to wait, and is not noted then.
    if (error instanceof ApiError && error.code === 'token-wrong')
      view.audit.write({ action: 'login', user: API_USER, address, outcome: outcomeOf(error) })
    throw error
  }
  const path = (request.url ?? '').split('?', 1)[0]
  const found = findRoute(method, path)
  if (found.kind === 'none')
    throw new ApiError(404, 'unknown-path', `expected one of ${ROUTES.map((route) => route.path).join(', ')}`)
  if (found.kind === 'method') {
    const allowed = found.allowed.join(', ')
    throw new ApiError(405, 'method-not-allowed', `expected ${allowed}`, { Allow: allowed })
  }
  const { route, parameters } = found
  const text = await readBody(request)
  if (!route.takesBody && text.trim() !== '') throw new ApiError(400, 'bad-body', 'expected no body')
  const body = route.takesBody ? parseJson(text, contentType) : null
  const note = (text: string): void => log.info({ client: address }, text)
  const asked = { view, parameters, body, note }
  if (route.method === 'GET') return route.run(asked)
  const statement = `${method} ${path}${text.trim() === '' ? '' : ` ${JSON.stringify(body)}`}`.slice(
    0,
    AUDITED_LENGTH_MAX,
  )
  try {
    const result = await route.run(asked)
    audit(view, address, 'ok', statement)
    view.note({ kind: 'config', what: statement, why: 'asked for', who: `${API_USER}@${address}` })
    return result
  } catch (error) {
    log.warn({ client: address }, `${method} ${path}: ${(error as Error).message}`)
    audit(view, address, outcomeOf(error), statement)
    throw error
  }
}

function audit(view: ControlView, address: string, outcome: string, statement: string): void {
  view.audit.write({ action: 'request', user: API_USER, address, statement, outcome })
}

function outcomeOf(error: unknown): string {
  return error instanceof ApiError ? `error ${error.status} (${error.code})` : 'internal error'
}

function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  { status, code, message, headers }: ApiError,
): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  send(request, response, status, `${JSON.stringify({ error: { code, message } })}\n`, JSON_TYPE)
}
