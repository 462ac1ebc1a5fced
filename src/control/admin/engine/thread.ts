import { parentPort } from 'node:worker_threads'
import { Engine } from './engine.js'
import type { FromThread, ToThread } from './messages.js'

/** Entry of the engine's thread: one statement after the other, each answered by one message. */
const port = parentPort
if (port === null) throw new Error('this file is the entry of a worker thread')
const engine = new Engine()

/** Hands over the memory of `bytes` that have it to themselves; others are copied. */
function answer(message: FromThread, bytes: readonly Uint8Array[] = []): void {
  const whole = bytes.filter((one) => one.byteLength === one.buffer.byteLength)
  port?.postMessage(
    message,
    whole.map((one) => one.buffer as ArrayBuffer),
  )
}

/** Memory of the WebAssembly module; buffers of JavaScript are collected by themselves. */
function engineBytes(): number {
  const { external, arrayBuffers } = process.memoryUsage()
  return external - arrayBuffers
}

port.on('message', ({ id, request }: ToThread) => {
  try {
    const result = engine.run(request)
    answer({ type: 'result', id, result, externalBytes: engineBytes() }, 'packets' in result ? [result.packets] : [])
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    answer({ type: 'error', id, message, externalBytes: engineBytes() })
  }
})

answer({ type: 'ready' })
