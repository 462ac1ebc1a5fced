import { spawn } from 'node:child_process'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'

const SCRIPT = fileURLToPath(new URL('../../../docker/healthcheck.mjs', import.meta.url))

async function serve(answer: RequestListener): Promise<Server> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return server
}

function check(server: Server): Promise<{ status: number | null; output: string }> {
  const { port } = server.address() as AddressInfo
  return checkPort(port)
}

function checkPort(port: number): Promise<{ status: number | null; output: string }> {
  const env = { SLUICE_READYZ_URL: `http://127.0.0.1:${port}/readyz` }
  const child = spawn(process.execPath, [SCRIPT], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, output }))
  })
}

describe("the image's health check", () => {
  it('is healthy while /readyz says so', async () => {
    const server = await serve((request, response) =>
      response.writeHead(request.url === '/readyz' ? 200 : 404).end('ready\n'),
    )
    expect(await check(server)).toEqual({ status: 0, output: 'ready\n' })
  })

  it('is unhealthy, with the reason, when clients cannot be served', async () => {
    const server = await serve((_, response) => response.writeHead(503).end('no server is ONLINE\n'))
    expect(await check(server)).toEqual({ status: 1, output: 'no server is ONLINE\n' })
  })

  it('is unhealthy when nobody listens', async () => {
    const server = await serve(() => {})
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const { status, output } = await checkPort(port)
    expect(status).toBe(1)
    expect(output).toContain('ECONNREFUSED')
  })

  it.each<[string, RequestListener]>([
    ['accepts and says nothing', () => {}],
    ['begins an answer and never ends it', (_, response) => response.writeHead(200).write('read')],
  ])('is unhealthy, within seconds, when the process %s', async (_, answer) => {
    const { status, output } = await check(await serve(answer))
    expect(status).toBe(1)
    expect(output).toContain('no answer within 3000 ms')
  })
})
