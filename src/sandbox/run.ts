import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'

export interface RunOptions {
  signal?: AbortSignal | undefined
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** Written to standard input, which is closed then. */
  input?: string | Buffer
  /** The program gets a pipe as file descriptor 3; each line it writes there is handed over. */
  onStatusLine?: (line: string) => void
  /** Ends the program with SIGKILL; the result then has the signal. Default: no limit. */
  timeoutMs?: number
}

export interface RunResult {
  code: number | null
  signal: NodeJS.Signals | null
  /** Standard output and standard error as they came, at most the last 64 KB. */
  output: string
}

const OUTPUT_CHARS_MAX = 65_536

/**
 * Runs a program to its end. A status other than 0 is no error here: the caller knows what it means.
 * @throws when it cannot be started or the signal aborts it
 */
export function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    env: options.env,
    cwd: options.cwd,
    signal: options.signal,
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
    detached: true, // Ctrl-C in the terminal reaches this process, which then ends the program
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', options.onStatusLine ? 'pipe' : 'ignore'],
  })
  let output = ''
  const collect = (chunk: string) => {
    output = (output + chunk).slice(-OUTPUT_CHARS_MAX)
  }
  child.stdout?.setEncoding('utf8').on('data', collect)
  child.stderr?.setEncoding('utf8').on('data', collect)
  if (options.onStatusLine) eachLine(child.stdio[3] as Readable, options.onStatusLine)
  child.stdin?.on('error', () => {}) // it may end without reading everything: its status tells
  child.stdin?.end(options.input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, output }))
  })
}

function eachLine(stream: Readable, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    lines.forEach(onLine)
  })
}
