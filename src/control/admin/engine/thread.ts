import { parentPort } from 'node:worker_threads'
import { Engine } from './engine.js'
import type { FromThread, ToThread } from './messages.js'

/** Entry of the engine's thread: one statement after the other, each answered by one message. */
const port = parentPort
if (port === null) throw new Error('this file is the entry of a worker thread')
const engine = new Engine()
const answer = (message: FromThread): void => port.postMessage(message)

port.on('message', ({ id, request }: ToThread) => {
  try {
    const result = engine.run(request)
    answer({ type: 'rows', id, result, externalBytes: process.memoryUsage().external })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    answer({ type: 'error', id, message, externalBytes: process.memoryUsage().external })
  }
})

answer({ type: 'ready' })
