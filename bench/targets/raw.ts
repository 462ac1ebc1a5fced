import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Address } from '../load/connection.js'
import { endOnAbort } from '../system/processes.js'
import type { Target } from './target.js'

const PROGRAM = fileURLToPath(new URL('../control/raw-forwarder.js', import.meta.url))

/**
 * Starts the control, a byte-forwarding proxy without any understanding of what it forwards.
 * @param signal ends it at once
 */
export async function startRawForwarder(server: Address, signal: AbortSignal): Promise<Target> {
  const child = fork(PROGRAM, [server.host, String(server.port)])
  endOnAbort(child, signal)
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    name: 'raw',
    host: '127.0.0.1',
    port,
    pids: [child.pid as number],
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.disconnect()
      await exit
    },
  }
}
