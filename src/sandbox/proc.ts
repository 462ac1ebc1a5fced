/** Processes as /proc shows them: told apart by start time, so that a process id used again is never mistaken. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ProcessRef {
  pid: number
  /** Clock ticks since boot at which it started; field 22 of /proc/PID/stat, see proc(5). */
  startTime: string
}

const POLL_MS = 20

/** @returns undefined when there is no such process, or only its zombie */
export function processRef(pid: number): ProcessRef | undefined {
  const fields = statFields(pid)
  return fields === undefined || fields.state === 'Z' || fields.state === 'X'
    ? undefined
    : { pid, startTime: fields.startTime }
}

export function isAlive(ref: ProcessRef): boolean {
  return processRef(ref.pid)?.startTime === ref.startTime
}

/** Whether SIGSTOP holds it. */
export function isStopped(ref: ProcessRef): boolean {
  const fields = statFields(ref.pid)
  return fields?.startTime === ref.startTime && fields.state === 'T'
}

/** Sends the signal if that very process still runs; says whether it did. */
export function signalProcess(ref: ProcessRef, signal: NodeJS.Signals): boolean {
  if (!isAlive(ref)) return false
  try {
    process.kill(ref.pid, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/** Waits until the process is gone; false when it still runs after `timeoutMs`. */
export async function waitForExit(ref: ProcessRef, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (isAlive(ref)) {
    if (performance.now() >= deadline) return false
    await sleep(POLL_MS)
  }
  return true
}

/** All processes that have an argument beginning with `prefix`. */
export function processesWithArgument(prefix: string): ProcessRef[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
      const ref = args.some((arg) => arg.startsWith(prefix)) ? processRef(Number(name)) : undefined
      return ref === undefined ? [] : [ref]
    } catch {
      return [] // it ended while we looked, or is another user's
    }
  })
}

function statFields(pid: number): { state: string; startTime: string } | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The second field is the name in parentheses and may itself contain blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startTime: fields[19] ?? '' }
}
