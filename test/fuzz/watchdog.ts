import { Worker } from 'node:worker_threads'

/*
 * A thread that watches the fuzz targets of this process: it tells how far a long run is, and ends the process when an input
 * comes to no end, which no test runner could do.
 */

/** No input takes nearly as long, also on a busy machine. */
export const SUSPICIOUS_SECONDS = 60
const TELL_SECONDS = 20

/** Number of the input, number of all inputs of the target, seconds since when (0: no target runs). */
const shared = new Int32Array(new SharedArrayBuffer(12))

const watch = `
  const { writeSync } = require('node:fs')
  const { parentPort, workerData: { shared, tell, suspicious } } = require('node:worker_threads')
  let name = ''
  let last = -1
  let same = 0
  let sinceTold = 0
  parentPort.on('message', (target) => { name = target; sinceTold = 0; last = -1; same = 0 })
  setInterval(() => {
    const [input, inputs, running] = shared
    if (running === 0) return
    same = input === last ? same + 1 : 0
    last = input
    if (++sinceTold % tell === 0) writeSync(2, 'fuzz: "' + name + '" ' + input + ' of ' + inputs + '\\n')
    if (same < suspicious) return
    writeSync(2, 'fuzz: "' + name + '" hangs with input ' + input + '\\n')
    process.kill(process.pid, 'SIGKILL')
  }, 1000)
`

let thread: Worker | null = null

export function beginTarget(name: string, inputs: number): void {
  if (thread === null) {
    thread = new Worker(watch, {
      eval: true,
      workerData: { shared, tell: TELL_SECONDS, suspicious: 2 * SUSPICIOUS_SECONDS },
    })
    thread.unref()
  }
  thread.postMessage(name)
  shared[1] = inputs
  shared[2] = 1
}

export function step(input: number): void {
  shared[0] = input
}

export function endTarget(): void {
  shared[2] = 0
}
