import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from '../../shared/log.js'
import type { ListenAddress } from '../../shared/snapshot.js'
import { formatListenAddress } from '../config/addresses.js'
import type { RunningService } from '../view.js'

/** A scraper or a script sends a few hundred bytes of headers, at once. */
const HEADERS_SIZE_MAX = 8 << 10
const HEADERS_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 65_000
const CONNECTIONS_MAX = 100

/** Answers one request. What it throws is logged and answered by `failed`, unless an answer has begun. */
export interface HttpHandler {
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>
  failed(request: IncomingMessage, response: ServerResponse): void
}

/**
 * Serves HTTP at one address, everything bounded: headers, connections, time. Rejects when the address cannot be bound.
 * @param name of the port, for the log
 */
export async function serveHttp(
  name: string,
  { host, port }: ListenAddress,
  handler: HttpHandler,
  log: Logger,
): Promise<RunningService> {
  const server = createServer(
    {
      maxHeaderSize: HEADERS_SIZE_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      void handler.answer(request, response).catch((error: unknown) => {
        log.error({ err: error }, `a request to the ${name} port failed`)
        if (!response.headersSent) handler.failed(request, response)
        else response.destroy()
      })
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, resolve)
  })
  server.on('error', (error) => log.error({ err: error }, `the ${name} port failed`))
  const bound = server.address() as AddressInfo
  return { address: formatListenAddress({ host: bound.address, port: bound.port }), close: () => close(server) }
}

/** Sends a whole answer; HEAD gets its headers only. */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: string,
  contentType: string,
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
