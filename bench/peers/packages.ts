import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  cacheFolder,
  type DebianPackages,
  debianObstacle,
  unpackDebianPackages,
  withLock,
} from '../../src/sandbox/index.js'

/**
 * The folder with a proxy's unpacked packages and their libraries, in the cache folder; fetched when it is not there yet,
 * without touching the system.
 * @throws Error where the machine has no Debian archive, or in the words of apt
 */
export async function fetchPeer(
  name: string,
  packages: DebianPackages,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const peers = join(cacheFolder(), 'peers')
  const folder = join(peers, name)
  mkdirSync(peers, { recursive: true })
  return withLock(`${folder}.lock`, { signal }, async () => {
    if (existsSync(folder)) return folder
    const obstacle = await debianObstacle(signal)
    if (obstacle !== undefined) throw new Error(`${name} cannot be fetched: ${obstacle}`)
    log(`fetching ${name} from Debian's packages`)
    const [work, unpacking] = [join(peers, `${name}.apt`), `${folder}.new`]
    rmSync(unpacking, { recursive: true, force: true })
    await unpackDebianPackages(packages, work, unpacking, { signal })
    rmSync(work, { recursive: true, force: true })
    renameSync(unpacking, folder)
    return folder
  })
}
