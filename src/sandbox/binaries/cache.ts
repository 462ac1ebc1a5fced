import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, SandboxError } from '../errors.js'
import { withLock } from '../lock.js'
import { removeFolder } from '../remove.js'
import type { Engine, Progress, ServerBinaries } from '../types.js'
import { SERVER_PACKAGES, unpackDebianPackages } from './debian.js'
import { askVersion } from './installed.js'
import { prefixPrograms } from './prefix.js'
import { ENGINE_NAMES } from './version.js'

interface Context {
  progress?: Progress | undefined
  signal?: AbortSignal | undefined
}

export type CacheEntry =
  | { kind: 'usable'; server: ServerBinaries }
  | { kind: 'absent' }
  | { kind: 'broken'; reason: string }

/** Looks for the unpacked server in the cache folder and asks it for its version: an entry that does not run is broken. */
export function cachedServer(cacheDir: string, engine: Engine, signal?: AbortSignal): Promise<CacheEntry> {
  return examine(entryFolder(cacheDir, engine), engine, signal)
}

async function examine(folder: string, engine: Engine, signal?: AbortSignal): Promise<CacheEntry> {
  if (!existsSync(folder)) return { kind: 'absent' }
  const programs = prefixPrograms(folder, engine)
  if (programs === undefined) return { kind: 'broken', reason: 'files are missing' }
  try {
    const { version } = await askVersion(programs.launch.command, signal)
    const origin = `Debian's packages in the cache folder (${folder})`
    return { kind: 'usable', server: { engine, version, origin, ...programs } }
  } catch (error) {
    signal?.throwIfAborted()
    return { kind: 'broken', reason: messageOf(error) }
  }
}

/**
 * Downloads and unpacks the server into the cache folder, or waits for another process that is doing it. The entry appears
 * under its name when it is complete and has been run once.
 * @throws SandboxError when it cannot be had
 */
export async function fetchIntoCache(cacheDir: string, engine: Engine, context: Context): Promise<ServerBinaries> {
  const { progress, signal } = context
  const folder = entryFolder(cacheDir, engine)
  mkdirSync(join(cacheDir, 'servers'), { recursive: true })
  const onWait = () =>
    progress?.({ step: 'download', message: `waiting for another process that fetches ${ENGINE_NAMES[engine]}` })
  return withLock(`${folder}.lock`, { signal, onWait }, async () => {
    const present = await cachedServer(cacheDir, engine, signal)
    if (present.kind === 'usable') return present.server // that other process was quicker
    await removeLeftovers(cacheDir, engine)
    const work = join(cacheDir, 'apt', engine)
    const unpacking = `${folder}.new`
    try {
      await unpackDebianPackages(SERVER_PACKAGES[engine], work, unpacking, context)
      const unpacked = await examine(unpacking, engine, signal)
      if (unpacked.kind === 'broken') throw new SandboxError(`the unpacked server does not run: ${unpacked.reason}`)
    } catch (error) {
      if (!signal?.aborted) discardFinishedDownloads(work)
      throw error
    }
    renameSync(unpacking, folder)
    rmSync(work, { recursive: true, force: true })
    const entry = await cachedServer(cacheDir, engine, signal)
    if (entry.kind !== 'usable') throw new SandboxError(`${folder} was changed while it was made`)
    return entry.server
  })
}

function entryFolder(cacheDir: string, engine: Engine): string {
  return join(cacheDir, 'servers', engine)
}

/** A broken entry and what an earlier process left half unpacked. Nobody else works here: we hold the lock. */
async function removeLeftovers(cacheDir: string, engine: Engine): Promise<void> {
  const folder = entryFolder(cacheDir, engine)
  for (const leftover of [folder, `${folder}.new`]) await removeFolder(leftover)
}

/**
 * After a failure whole packages are fetched again (one of them may be why it failed); partial ones stay, apt continues them.
 */
function discardFinishedDownloads(work: string): void {
  const archives = join(work, 'cache', 'archives')
  if (!existsSync(archives)) return
  for (const name of readdirSync(archives)) if (name.endsWith('.deb')) rmSync(join(archives, name), { force: true })
}
