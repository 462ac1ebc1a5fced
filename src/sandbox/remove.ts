import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasCode } from './errors.js'

const ATTEMPTS = 20
const PAUSE_MS = 100

/**
 * Removes a folder to which a program that has just been killed may still add a last file. (The retries of `rm` itself do not
 * look for new files.)
 */
export async function removeFolder(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      rmSync(path, { recursive: true, force: true })
      return
    } catch (error) {
      if (!hasCode(error, 'ENOTEMPTY', 'EEXIST', 'EBUSY') || attempt === ATTEMPTS) throw error
    }
    await sleep(PAUSE_MS)
  }
}
