import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ListenAddress } from '../shared/snapshot.js'
import { formatListenAddress } from './config/addresses.js'

/** A process and when it started: a number that was given to another process meanwhile is never taken for it. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks after boot (field 22 of /proc/PID/stat). */
  readonly startTicks: string
}

export interface RunFile {
  readonly parent: ProcessIdentity
  readonly workers: readonly ProcessIdentity[]
}

/** One file per set of listen addresses, so that several proxies can share a datadir. */
export function runFilePath(datadir: string, listen: readonly ListenAddress[]): string {
  return join(datadir, `run-${keyOf(listen)}.json`)
}

/** Where the proxy's workers share the times of commits (`CommitTimes`). */
export function commitTimesPath(datadir: string, listen: readonly ListenAddress[]): string {
  return join(datadir, `commits-${keyOf(listen)}`)
}

function keyOf(listen: readonly ListenAddress[]): string {
  return createHash('sha256').update(listen.map(formatListenAddress).join(' ')).digest('hex').slice(0, 12)
}

export function writeRunFile(path: string, content: RunFile): void {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600 })
  renameSync(temporary, path)
}

/** null when there is none, or none that can be read: a broken run file is as good as none. */
export function readRunFile(path: string): RunFile | null {
  try {
    const content = JSON.parse(readFileSync(path, 'utf8')) as Partial<RunFile>
    const { parent, workers } = content
    if (!isIdentity(parent) || !Array.isArray(workers) || !workers.every(isIdentity)) return null
    return { parent, workers }
  } catch {
    return null
  }
}

export function removeRunFile(path: string): void {
  rmSync(path, { force: true })
}

/** null when there is no such process, or no /proc. */
export function identifyProcess(pid: number): ProcessIdentity | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the command's name in parentheses and may hold blanks and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const isGone = fields[0] === 'Z' || fields[0] === 'X'
    return isGone ? null : { pid, startTicks: fields[19] }
  } catch {
    return null
  }
}

export function isSameProcess(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTicks === identity.startTicks
}

function isIdentity(value: unknown): value is ProcessIdentity {
  const identity = value as Partial<ProcessIdentity> | null | undefined
  return Number.isInteger(identity?.pid) && (identity?.pid ?? 0) > 1 && typeof identity?.startTicks === 'string'
}
