import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** CPU time and memory of processes, from /proc (man page proc(5)). Linux only. */

/** Clock ticks per second in /proc; a constant of the kernel's interface on every architecture Node runs on. */
const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4096

/** From a line of /proc/PID/stat. */
export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** User and system time of all threads so far, in microseconds; steps of 10,000. */
  readonly cpuMicros: number
  /** Resident memory in bytes. */
  readonly residentBytes: number
}

/** Reads one line of /proc/PID/stat. The command's name may contain blanks and brackets, so fields count from the last `)`. */
export function parseStat(line: string): ProcessStat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  return {
    pid: Number.parseInt(line, 10),
    parent: field(4),
    cpuMicros: (field(14) + field(15)) * (1_000_000 / TICKS_PER_SECOND),
    residentBytes: field(24) * PAGE_BYTES,
  }
}

/** The processes with these ids and all their descendants; those that are gone are left out. */
export function processTree(roots: readonly number[]): ProcessStat[] {
  const all = allProcesses()
  const members = new Set(roots)
  for (let grown = true; grown; ) {
    grown = false
    for (const { pid, parent } of all) {
      if (!members.has(parent) || members.has(pid)) continue
      members.add(pid)
      grown = true
    }
  }
  return all.filter(({ pid }) => members.has(pid))
}

/**
 * CPU time of a process tree so far, in microseconds. A process that ends between two readings takes its time along, so
 * compare readings only of trees that stay.
 */
export function cpuMicrosOf(roots: readonly number[]): number {
  return processTree(roots).reduce((sum, { cpuMicros }) => sum + cpuMicros, 0)
}

/** Resident memory of a process tree in bytes; pages that its processes share are counted in each. */
export function residentBytesOf(roots: readonly number[]): number {
  return processTree(roots).reduce((sum, { residentBytes }) => sum + residentBytes, 0)
}

function allProcesses(): ProcessStat[] {
  const found: ProcessStat[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      found.push(parseStat(readFileSync(`/proc/${name}/stat`, 'utf8')))
    } catch {
      // It ended between the listing and now.
    }
  }
  return found
}

/** Ends a process when a run is given up, for as long as it lives. */
export function endOnAbort(child: ChildProcess, signal: AbortSignal, how: NodeJS.Signals = 'SIGTERM'): void {
  const end = () => child.kill(how)
  signal.addEventListener('abort', end)
  child.once('exit', () => signal.removeEventListener('abort', end))
}
