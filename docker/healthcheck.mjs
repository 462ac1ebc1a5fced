// For HEALTHCHECK: status 0 while Sluice says that clients can be served, else 1 with the reason. The image has no curl;
// `fetch` would take twice the CPU time, every time.
import { get } from 'node:http'

const TIMEOUT_MS = 3000

const request = get(process.env.SLUICE_READYZ_URL, (response) => {
  process.exitCode = response.statusCode === 200 ? 0 : 1
  response.pipe(process.stdout)
})
// A peer that accepts and then sends nothing, or never ends, is as good as none.
const timer = setTimeout(() => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
request.on('error', ({ message }) => {
  process.stdout.write(`${message}\n`)
  process.exitCode = 1
})
request.on('close', () => clearTimeout(timer))
