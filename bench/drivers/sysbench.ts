import { spawn } from 'node:child_process'
import type { Measurement } from '../measurement.js'
import type { Driver } from '../rounds.js'
import { Histogram } from '../stats/histogram.js'
import { cpuMicrosOf } from '../system/processes.js'
import type { Target } from '../targets/target.js'

/** Drives sysbench, which is someone else's idea of a load, against each target and reads its report. */

export interface SysbenchOptions {
  /** Name of a script, such as `oltp_point_select`. */
  readonly script: string
  readonly user: string
  readonly password: string
  readonly database: string
  readonly connections: number
  readonly rate: number | null
  readonly rows: number
  readonly seed: number
  /** 0: no warm-up. */
  readonly warmupSeconds: number
}

const MAX_OUTPUT_CHARS = 1 << 20
const ERROR_LINES = 3

/**
 * Each measurement is one sysbench process after a short one that is not counted. Logging in is part of its CPU time, as
 * sysbench gives no sign when it is done with that.
 */
export function sysbenchDriver(options: SysbenchOptions): Driver {
  return async (target, round, seconds) => {
    const { warmupSeconds } = options
    if (warmupSeconds > 0) await runSysbench(argumentsFor(options, target, round, Math.ceil(warmupSeconds)))
    const before = cpuMicrosOf(target.pids)
    const output = await runSysbench(argumentsFor(options, target, round, seconds))
    const cpu = cpuMicrosOf(target.pids) - before
    return { ...parseSysbench(output), proxyCpuMicros: target.pids.length === 0 ? null : cpu }
  }
}

function argumentsFor(options: SysbenchOptions, target: Target, round: number, seconds: number): string[] {
  const { script, user, password, database, connections, rate, rows, seed } = options
  return [
    script,
    '--db-driver=mysql',
    `--mysql-host=${target.host}`,
    `--mysql-port=${target.port}`,
    `--mysql-user=${user}`,
    `--mysql-password=${password}`,
    `--mysql-db=${database}`,
    '--tables=1',
    `--table-size=${rows}`,
    `--threads=${connections}`,
    `--time=${seconds}`,
    `--rate=${rate === null ? 0 : Math.max(1, Math.round(rate))}`,
    `--rand-seed=${seed + round}`,
    '--db-ps-mode=disable',
    '--histogram=on',
    'run',
  ]
}

/** @throws Error when it is not installed, or with what it complained about */
function runSysbench(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('sysbench', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-MAX_OUTPUT_CHARS)
      })
    }
    child.once('error', (error: NodeJS.ErrnoException) => {
      reject(new Error(error.code === 'ENOENT' ? 'sysbench is not on PATH' : error.message))
    })
    child.once('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`sysbench failed: ${complaintsIn(output)}`))
    })
  })
}

function complaintsIn(output: string): string {
  const lines = output.split('\n').filter((line) => /FATAL|ALERT|error/i.test(line))
  return lines.slice(0, ERROR_LINES).join(' / ') || 'it says nothing'
}

/**
 * Reads the report of sysbench 1.0 with --histogram=on.
 * @throws Error when a number is missing
 */
export function parseSysbench(output: string): Omit<Measurement, 'target' | 'round' | 'proxyCpuMicros'> {
  const latency = new Histogram()
  for (const [, milliseconds, count] of output.matchAll(/^\s*(\d+\.\d+) \|\**\s+(\d+)$/gm)) {
    latency.record(Number(milliseconds) * 1000, Number(count))
  }
  return {
    seconds: numberIn(output, /total time:\s+([\d.]+)s/),
    operations: numberIn(output, /transactions:\s+(\d+)/),
    queries: numberIn(output, /queries:\s+(\d+)/),
    bytesReceived: 0,
    errors: numberIn(output, /ignored errors:\s+(\d+)/),
    firstError: null,
    restarts: 0,
    latency: latency.pack(),
    lateness: [],
    generatorCpuMicros: null,
  }
}

function numberIn(output: string, pattern: RegExp): number {
  const found = output.match(pattern)
  if (found === null) throw new Error(`sysbench's report has no line like ${pattern.source}`)
  return Number(found[1])
}
