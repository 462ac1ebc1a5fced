import { randomUUID } from 'node:crypto'
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from './errors.js'
import { isAlive, type ProcessRef, processRef } from './proc.js'

const POLL_MS = 100

export interface LockOptions {
  signal?: AbortSignal | undefined
  /** Called once when another process holds the lock. */
  onWait?: (holder: ProcessRef) => void
}

/**
 * Runs `work` while this process alone holds the lock file `path`, across processes of this machine. A lock whose holder has
 * died is taken over.
 */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const own = `${path}.${process.pid}.${randomUUID()}`
  writeFileSync(own, JSON.stringify({ ...processRef(process.pid), nonce: own }))
  let hasWaited = false
  try {
    while (!tryLock(own, path)) {
      options.signal?.throwIfAborted()
      const holder = readHolder(path)
      if (holder !== undefined && !isAlive(holder.ref)) {
        discardStale(path, own, holder.text)
        continue
      }
      if (holder !== undefined && !hasWaited) options.onWait?.(holder.ref)
      hasWaited = holder !== undefined
      await sleep(POLL_MS, undefined, { signal: options.signal })
    }
    removeAbandoned(path)
    try {
      return await work()
    } finally {
      rmSync(path, { force: true })
    }
  } finally {
    rmSync(own, { force: true })
  }
}

/** Files of processes that were killed while they waited for this lock or held it: `NAME.PID.UUID`. */
function removeAbandoned(path: string): void {
  const prefix = `${basename(path)}.`
  for (const name of readdirSync(dirname(path))) {
    const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN
    if (pid > 0 && processRef(pid) === undefined) rmSync(join(dirname(path), name), { force: true })
  }
}

/** link(2) either makes the name or fails: the file is there with its whole content at once. */
function tryLock(own: string, path: string): boolean {
  try {
    linkSync(own, path)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

function readHolder(path: string): { ref: ProcessRef; text: string } | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    return { ref: JSON.parse(text) as ProcessRef, text }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Moves the lock aside before it goes, so that a lock which another process took in the meantime can be put back. */
function discardStale(path: string, own: string, staleText: string): void {
  const aside = `${own}.stale`
  try {
    renameSync(path, aside)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  if (readFileSync(aside, 'utf8') !== staleText) tryLock(aside, path)
  rmSync(aside, { force: true })
}
