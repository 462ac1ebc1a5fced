import { spawn } from 'node:child_process'

export interface Watchdog {
  /** Lets the cluster live on without this process, and ends the watchdog. */
  release(): void
}

/**
 * Starts a small process that outlives this one by a moment: when its standard input closes, which the kernel does however
 * this process ends, it kills every process that runs on the cluster's data and removes the folder.
 *
 * The program is text because it has to run without this package's loader. It finds the servers by their --datadir argument,
 * not by a list, so that one which was started an instant before the end is found too; a container may even appear later.
 */
export function startWatchdog(dir: string, socketDir: string | undefined): Watchdog {
  const child = spawn(process.execPath, ['-e', PROGRAM, dir, socketDir ?? ''], {
    detached: true,
    cwd: '/',
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.on('error', () => {}) // without it, only a killed owner leaves servers behind
  child.unref()
  const pipe = child.stdin!
  pipe.on('error', () => {})
  ;(pipe as unknown as { unref(): void }).unref()
  return { release: () => pipe.end('release') }
}

const PROGRAM = `
const { readdirSync, readFileSync, rmSync } = require('node:fs')
const [dir, socketDir] = process.argv.slice(1)
const QUIET_ROUNDS = 10, ROUND_MS = 100
let said = ''
process.stdin.on('data', (chunk) => { said += chunk })
process.stdin.on('error', () => {})
process.stdin.on('close', () => { if (said !== 'release') endAll(QUIET_ROUNDS) })
process.stdin.resume()

function runsOnOurData(pid) {
  try {
    return readFileSync('/proc/' + pid + '/cmdline', 'utf8').split('\\0').some((arg) => arg.startsWith('--datadir=' + dir + '/'))
  } catch { return false }
}

function endAll(roundsLeft) {
  const pids = readdirSync('/proc').filter((name) => /^\\d+$/.test(name) && runsOnOurData(name))
  for (const pid of pids) try { process.kill(Number(pid), 'SIGKILL') } catch {}
  remove(dir)
  if (socketDir) remove(socketDir)
  if (pids.length > 0) return setTimeout(endAll, ROUND_MS, QUIET_ROUNDS)
  if (roundsLeft > 0) setTimeout(endAll, ROUND_MS, roundsLeft - 1)
}

function remove(folder) {
  try { rmSync(folder, { recursive: true, force: true }) } catch {}
}
`
