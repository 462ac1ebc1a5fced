import { z } from 'zod'
import { UsageError } from '../../shared/errors.js'
import type { ServerStatus } from '../../shared/snapshot.js'
import { parseListenAddress, serverId } from '../config/addresses.js'
import type { ControlView } from '../view.js'
import { ApiError } from './api-error.js'
import { serversDocument, topologyDocument } from './documents.js'

/** What a route may use to answer. */
export interface RouteRequest {
  readonly view: ControlView
  /** By the names in the route's path, decoded. */
  readonly parameters: Readonly<Record<string, string>>
  /** Parsed JSON of routes that take a body. */
  readonly body: unknown
  /** Notes in the log what has been asked for. */
  note(text: string): void
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** As in docs/openapi.yaml; a part in braces takes anything but a slash. */
  readonly path: string
  readonly takesBody: boolean
  /** Resolves with what is sent as JSON with status 200; rejects with an ApiError. */
  run(request: RouteRequest): Promise<unknown>
}

/** How long the servers may take to agree with whoever names a new primary. */
const FAILOVER_WAIT_MS = 5000
const FAILOVER_WAIT_MS_MAX = 60_000

/** All that the API does; docs/openapi.yaml describes it, and a test holds the one against the other. */
export const ROUTES: readonly Route[] = [
  { method: 'GET', path: '/v1/topology', takesBody: false, run: async ({ view }) => topologyDocument(view) },
  { method: 'GET', path: '/v1/servers', takesBody: false, run: ({ view }) => serversDocument(view) },
  { method: 'POST', path: '/v1/servers/{host}:{port}/drain', takesBody: false, run: setStatus('OFFLINE_SOFT') },
  { method: 'POST', path: '/v1/servers/{host}:{port}/enable', takesBody: false, run: setStatus('ONLINE') },
  { method: 'POST', path: '/v1/reload', takesBody: false, run: reload },
  { method: 'POST', path: '/v1/events/failover', takesBody: true, run: failover },
]

/** In memory and runtime, as an UPDATE and a LOAD on the admin port; the disk stays as it is. */
function setStatus(status: ServerStatus): Route['run'] {
  return async ({ view, parameters: { host, port } }) => {
    const address = parseListenAddress(`${host}:${port}`)
    if (address?.host === undefined || address.port === undefined || address.port === 0)
      throw new ApiError(400, 'bad-server', 'expected host:port, with brackets around an IPv6 address')
    const warnings = await view.store.setServerStatus(address.host, address.port, status)
    const server = serverId(address.host, address.port)
    if (warnings === null) throw new ApiError(404, 'unknown-server', `${server} is not among the servers`)
    return { server, status, warnings }
  }
}

async function reload({ view }: RouteRequest): Promise<unknown> {
  try {
    const { changed, warnings } = await view.store.reload()
    return { changed, warnings }
  } catch (error) {
    if (error instanceof UsageError) throw new ApiError(422, 'configuration-wrong', error.message)
    throw error
  }
}

const SERVER_NAME_MAX = 300
const serverName = z.string({ error: 'expected host:port' }).max(SERVER_NAME_MAX, { error: 'expected host:port' })
const failoverEvent = z.strictObject(
  {
    new_primary: serverName,
    old_primary: serverName.optional(),
    reason: z.string({ error: 'expected a text' }).max(1000, { error: 'expected at most 1000 characters' }).optional(),
    wait_ms: z
      .int({ error: 'expected whole milliseconds' })
      .min(0, { error: 'expected 0 or more' })
      .max(FAILOVER_WAIT_MS_MAX, { error: `expected at most ${FAILOVER_WAIT_MS_MAX}` })
      .default(FAILOVER_WAIT_MS),
  },
  {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown key ${JSON.stringify(issue.keys[0])}; known here: new_primary, old_primary, reason, wait_ms`
        : 'expected an object with new_primary',
  },
)

/** The hook of a failover tool: a new primary is named, looked at, and believed when the servers agree. */
async function failover({ view, body, note }: RouteRequest): Promise<unknown> {
  const parsed = failoverEvent.safeParse(body)
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]
    throw new ApiError(400, 'bad-body', path.length === 0 ? message : `${path.join('.')}: ${message}`)
  }
  const address = parseListenAddress(parsed.data.new_primary)
  if (address === null) throw new ApiError(400, 'bad-body', 'new_primary: expected host:port')
  const server = address.path ?? serverId(address.host as string, address.port as number)
  const { old_primary: from = 'not named', reason = 'not named', wait_ms: waitMs } = parsed.data
  note(`failover: ${server} is named the new primary (old one: ${from}; reason: ${reason})`)
  const verdict = await view.confirmWriter(server, waitMs)
  if (verdict.kind === 'unknown')
    throw new ApiError(404, 'unknown-server', `${server} is in no pair of replication_hostgroups`)
  if (verdict.kind === 'other') throw new ApiError(409, 'not-the-writer', verdict.why)
  return { writer: server, hostgroup: verdict.hostgroup }
}

export type Found =
  | { readonly kind: 'route'; readonly route: Route; readonly parameters: Readonly<Record<string, string>> }
  | { readonly kind: 'method'; readonly allowed: readonly string[] }
  | { readonly kind: 'none' }

const PATTERNS = ROUTES.map((route) => ({ route, pattern: patternOf(route.path) }))

/** The route for a path as it came, still encoded. Throws an ApiError when it cannot be decoded. */
export function findRoute(method: string, path: string): Found {
  const matching = PATTERNS.flatMap(({ route, pattern }) => {
    const match = pattern.exec(path)
    return match === null ? [] : [{ route, groups: match.groups ?? {} }]
  })
  if (matching.length === 0) return { kind: 'none' }
  const wanted = method === 'HEAD' ? 'GET' : method
  const found = matching.find(({ route }) => route.method === wanted)
  if (found !== undefined) return { kind: 'route', route: found.route, parameters: decoded(found.groups) }
  const methods = matching.map(({ route }) => route.method)
  return { kind: 'method', allowed: methods.flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : [one])) }
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{(\w+)\}/g, (_, name) => `(?<${name}>[^/]+)`)}$`)
}

function decoded(groups: Readonly<Record<string, string>>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]))
  } catch {
    throw new ApiError(400, 'bad-path', 'expected a path with whole %XX sequences')
  }
}
