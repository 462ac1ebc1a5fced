import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** Compiled by `node build.mjs`, which `npm test` runs first. */
const MAIN = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))

export interface SluiceRun {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `sluice` with these arguments to its end. Its standard input is `input`, no terminal. */
export async function sluice(
  args: readonly string[],
  { input = '', env = {} }: { input?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<SluiceRun> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } })
  const ended = once(child, 'exit')
  child.stdin.on('error', () => {}) // it may end without having read all
  child.stdin.end(input)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [status] = (await ended) as [number | null]
  return { status, stdout, stderr }
}
