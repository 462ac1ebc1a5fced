import { spreadOf } from '../stats/spread.js'

/** Times a piece of code that is too short to time once. */
export interface MicroCase {
  readonly name: string
  /** Operations that one call of `run` does. */
  readonly operations: number
  /** Must return something that depends on the work, so that the compiler cannot leave it out. */
  readonly run: () => number
}

const SAMPLES = 9
const SAMPLE_MS = 100
const WARMUP_MS = 300

/** Runs each case in alternation and prints nanoseconds per operation: median, smallest and largest sample. */
export function runMicro(title: string, cases: readonly MicroCase[]): void {
  for (const one of cases) sample(one, WARMUP_MS)
  const nanos = cases.map((): number[] => [])
  for (let count = 0; count < SAMPLES; count++) {
    for (const [index, one] of cases.entries()) nanos[index].push(sample(one, SAMPLE_MS))
  }
  process.stdout.write(`${title}: ns per operation\n`)
  for (const [index, { name }] of cases.entries()) {
    const { median, min, max } = spreadOf(nanos[index])
    process.stdout.write(
      `  ${name.padEnd(56)} ${median.toFixed(1).padStart(9)}  (${min.toFixed(1)} - ${max.toFixed(1)})\n`,
    )
  }
}

/** Keeps the results alive. */
let sink = 0

function sample({ operations, run }: MicroCase, milliseconds: number): number {
  const startedAt = performance.now()
  const deadline = startedAt + milliseconds
  let calls = 0
  let now = startedAt
  for (; now < deadline; now = performance.now()) {
    sink = (sink + run()) | 0
    calls++
  }
  return ((now - startedAt) * 1e6) / (calls * operations)
}
