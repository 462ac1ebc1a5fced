import { spawn } from 'node:child_process'

export interface Execution {
  /** What it wrote to standard output. */
  readonly output: string
  /** The end of what it wrote to standard error. */
  readonly errors: string
  /** Its exit status, or the signal that ended it. */
  readonly end: number | string | null
}

export interface ExecuteOptions {
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** It is ended after that time, with all that it has started. */
  readonly limitMs: number
}

const OUTPUT_CHARS_MAX = 20_000_000
const ERROR_CHARS_MAX = 10_000_000

/** Nothing of the user's own settings: no option files, no locale, no proxies. */
export function machineEnvironment(home: string): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: home, TMPDIR: home, LC_ALL: 'C.UTF-8', TZ: 'UTC' }
}

/** Runs a program to its end, or to that of its time or of the room for its output. */
export function execute(command: readonly string[], { env, cwd, limitMs }: ExecuteOptions): Promise<Execution> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const end = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL')
    } catch {
      // it has just ended
    }
  }
  const timer = setTimeout(end, limitMs)
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
    if (output.length > OUTPUT_CHARS_MAX) end()
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors = (errors + chunk).slice(-ERROR_CHARS_MAX)
  })
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      resolve({ output, errors, end: signal ?? code })
    })
  })
}
