import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import type { Logger } from '../shared/log.js'

/** A row of `scheduler`: a program that is run again and again. */
export interface ScheduledTask {
  readonly id: number
  readonly active: boolean
  readonly intervalMs: number
  readonly filename: string
  readonly args: readonly string[]
}

/** A program that takes longer is ended. */
const TIME_LIMIT_MS = 5 * 60_000
/** What is logged of what a program says, in bytes. */
const OUTPUT_BYTES_MAX = 4_096

interface Running {
  readonly task: ScheduledTask
  readonly timer: NodeJS.Timeout
  child: ChildProcess | null
  /** What was wrong with the last run; empty: nothing. */
  problem: string
}

/**
 * Runs programs at their intervals, each on its own: without a shell, never twice at once, for a limited time. What a program
 * says is logged as far as it is short; what is wrong with it is logged once, until that changes.
 */
export class Scheduler {
  private readonly log: Logger
  private readonly timeLimitMs: number
  private readonly running = new Map<number, Running>()

  constructor(log: Logger, timeLimitMs = TIME_LIMIT_MS) {
    this.log = log
    this.timeLimitMs = timeLimitMs
  }

  /** Tasks that stay as they were keep their rhythm; those that changed begin anew, and their programs are ended. */
  configure(tasks: readonly ScheduledTask[]): void {
    const wanted = new Map(tasks.filter(({ active }) => active).map((task) => [task.id, task]))
    for (const [id, { task }] of this.running) {
      if (JSON.stringify(task) === JSON.stringify(wanted.get(id))) wanted.delete(id)
      else this.end(id)
    }
    for (const task of wanted.values()) this.begin(task)
  }

  /** Ends all programs. */
  stop(): void {
    for (const id of [...this.running.keys()]) this.end(id)
  }

  private begin(task: ScheduledTask): void {
    const timer = setInterval(() => this.run(running), task.intervalMs)
    const running: Running = { task, timer, child: null, problem: '' }
    this.running.set(task.id, running)
  }

  private end(id: number): void {
    const running = this.running.get(id)
    if (running === undefined) return
    clearInterval(running.timer)
    this.running.delete(id)
    if (running.child !== null) kill(running.child)
  }

  private run(running: Running): void {
    const { task } = running
    if (running.child !== null) return
    const problem = notExecutable(task.filename)
    if (problem !== '') return this.note(running, problem)
    // A group of its own, so that what it starts can be ended with it.
    const child = spawn(task.filename, task.args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    running.child = child
    let output = ''
    const take = (chunk: Buffer): void => {
      if (output.length < OUTPUT_BYTES_MAX) output += chunk.toString('utf8').slice(0, OUTPUT_BYTES_MAX - output.length)
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    let late = false
    const limit = setTimeout(() => {
      late = true
      kill(child)
    }, this.timeLimitMs)
    const over = (why: string): void => {
      clearTimeout(limit)
      if (running.child !== child) return
      running.child = null
      if (output !== '') this.log.info({ task: task.id, output }, `scheduler: output of ${task.filename}`)
      this.note(running, late ? `took longer than ${this.timeLimitMs} ms and was ended` : why)
    }
    child.once('error', (error) => over(error.message))
    child.once('close', (code, signal) => over(code === 0 ? '' : `ended with ${signal ?? `status ${code}`}`))
  }

  private note(running: Running, problem: string): void {
    if (problem === running.problem) return
    const { id, filename } = running.task
    running.problem = problem
    if (problem === '') this.log.info({ task: id }, `scheduler: ${filename} works again`)
    else this.log.error({ task: id }, `scheduler: ${filename}: ${problem}`)
  }
}

/** Why a file cannot be run; empty: it can. */
function notExecutable(path: string): string {
  try {
    if (!statSync(path).isFile()) return 'is no file'
    accessSync(path, constants.X_OK)
    return ''
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? 'no such file' : `is not executable (${code})`
  }
}

function kill({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
