import { setTimeout as pause } from 'node:timers/promises'
import { type Address, type Credentials, LoadConnection } from '../load/connection.js'
import { queryPacket } from '../load/packets.js'

const RETRY_PAUSE_MS = 100
const ATTEMPT_TIMEOUT_MS = 5_000

/**
 * Waits until a login and a write-free statement work.
 * @throws Error with the last failure after `timeoutMs`
 */
export async function waitUntilServing(address: Address, credentials: Credentials, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      await runQuery(address, credentials, 'SELECT 1')
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
    await pause(RETRY_PAUSE_MS)
  }
}

/** Runs one statement on a connection of its own. */
export function runQuery(address: Address, credentials: Credentials, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      clearTimeout(timer)
      connection.destroy()
      reject(error)
    }
    const timer = setTimeout(() => fail(new Error('no answer in time')), ATTEMPT_TIMEOUT_MS)
    const owner = {
      onLost: fail,
      onAnswer({ errno, error }: LoadConnection) {
        if (errno !== 0) {
          fail(new Error(`${error} (${errno})`))
          return
        }
        clearTimeout(timer)
        connection.quit()
        resolve()
      },
    }
    const connection = new LoadConnection(address, credentials, owner, () => connection.send(queryPacket(sql)))
  })
}
