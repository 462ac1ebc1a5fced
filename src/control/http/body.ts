import type { IncomingMessage } from 'node:http'
import { ApiError } from './api-error.js'

/** A hook sends a name and a sentence. */
export const BODY_BYTES_MAX = 16 << 10

/** The whole body as text. Rejects with an ApiError when it is too long; the connection is then not used again. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const tooLarge = (): ApiError =>
    new ApiError(413, 'body-too-large', `expected a body of at most ${BODY_BYTES_MAX} bytes`, { Connection: 'close' })
  if (Number(request.headers['content-length'] ?? 0) > BODY_BYTES_MAX) throw tooLarge()
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_BYTES_MAX) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A body as JSON; throws an ApiError when it is none. */
export function parseJson(body: string, contentType: string | undefined): unknown {
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType ?? ''))
    throw new ApiError(415, 'not-json', 'expected Content-Type: application/json')
  try {
    return JSON.parse(body)
  } catch {
    throw new ApiError(400, 'bad-body', 'expected a JSON text')
  }
}
