import { describe, it } from 'vitest'
import { ProtocolError } from '../../protocol/index.js'
import { loadCaptures } from '../wire/capture.js'
import { Random } from './random.js'
import { beginTarget, endTarget, step as noteStep, SUSPICIOUS_SECONDS } from './watchdog.js'

/*
 * What all fuzz targets share. A target is a function that is called with a source of random numbers, once for each input; it
 * throws when something is wrong. Everything that it does follows from the seed, its name and the number of the input.
 *
 * SLUICE_FUZZ_SEED repeats a run. SLUICE_FUZZ_ITERATIONS is the number of inputs of all targets together: 60 thousand, or a
 * million and more for the long mode. SLUICE_FUZZ_INPUT runs only the input of this number, of each target.
 */
export const SEED = Number(process.env.SLUICE_FUZZ_SEED ?? Date.now() % 1_000_000)
export const ITERATIONS = Number(process.env.SLUICE_FUZZ_ITERATIONS ?? 60_000)
const ONLY = process.env.SLUICE_FUZZ_INPUT
/** What an input may take on average on a machine that does other things as well. */
const TIMEOUT_MS_PER_INPUT = 20

/** Parts of the inputs that go to the targets of each file; those of SQL come on top. */
const SHARES = { decoders: 10, streams: 4, logins: 3, compression: 2, worker: 3 }

export type Share = keyof typeof SHARES
export type Target = (random: Random) => void | Promise<void>

/** Registers the targets of a file. */
export class FuzzFile {
  readonly #share: number
  readonly #title: string
  /** Of all targets, registered before the first one runs. */
  #weights = 0

  constructor(share: Share) {
    this.#share = SHARES[share] / Object.values(SHARES).reduce((sum, part) => sum + part)
    this.#title = share
  }

  /** Registers what `register` does under a title that says how to repeat it. */
  describe(register: () => void): void {
    describe(`${this.#title} (SLUICE_FUZZ_SEED=${SEED} SLUICE_FUZZ_ITERATIONS=${ITERATIONS})`, register)
  }

  /** @param weight inputs of this target for each one of another target of the file: less for what takes long */
  target(name: string, target: Target, weight = 1): void {
    this.#weights += weight
    const least = Math.ceil(ITERATIONS * this.#share * weight)
    it(name, () => run(name, target, Math.ceil(least / this.#weights)), 60_000 + TIMEOUT_MS_PER_INPUT * least)
  }
}

/** Lets the test runner's own messages through, and sees to it that a long run does not look like one that hangs. */
const BREATHE_MS = 100

async function run(name: string, target: Target, inputs: number): Promise<void> {
  const [first, end] = ONLY === undefined ? [0, inputs] : [Number(ONLY), Number(ONLY) + 1]
  beginTarget(name, inputs)
  try {
    let breath = performance.now()
    for (let input = first; input < end; input++) {
      noteStep(input)
      await runOne(name, target, input)
      if (performance.now() - breath < BREATHE_MS) continue
      await new Promise((resolve) => setImmediate(resolve))
      breath = performance.now()
    }
  } finally {
    endTarget()
  }
}

async function runOne(name: string, target: Target, input: number): Promise<void> {
  const random = new Random(`${SEED} ${name} ${input}`)
  const started = performance.now()
  try {
    await target(random)
  } catch (error) {
    const how = `SLUICE_FUZZ_SEED=${SEED} SLUICE_FUZZ_INPUT=${input}`
    throw new Error(`${how}: ${describeError(error)}\ninput: ${random.notes.join('\n')}`, { cause: error })
  }
  const took = performance.now() - started
  if (took > SUSPICIOUS_SECONDS * 1000) throw new Error(`input ${input} took ${took} ms: ${random.notes.join('\n')}`)
}

function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

/** What came out: a value or the ProtocolError; any other error fails the target. */
export function outcome(what: () => unknown): unknown {
  try {
    return what()
  } catch (error) {
    if (error instanceof ProtocolError) return `refused: ${error.code}: ${error.message}`
    throw error
  }
}

/** Answers of real servers, and the commands that asked for them. */
export const corpus = loadCaptures().flatMap(({ capture }) =>
  capture.exchanges.map(({ answer, packets }) => ({
    answer,
    capabilities: Number.parseInt(capture.capabilities, 16),
    mariadbCapabilities: Number.parseInt(capture.mariadbCapabilities, 16),
    packets: packets.map(({ from, hex }) => ({ from, bytes: Buffer.from(hex, 'hex') })),
  })),
)

/** Payloads of packets in the corpus. */
export const payloads = corpus.flatMap(({ packets }) => packets.map(({ bytes }) => bytes.subarray(4)))

/** A payload of the corpus that was changed, or, now and then, noise. */
export function anyPayload(random: Random): Buffer {
  return random.below(8) === 0 ? random.noise(random.below(80)) : random.mutate(random.pick(payloads))
}

/** Bytes in pieces, each in memory of its own. */
export function randomPieces(random: Random, bytes: Buffer): Buffer[] {
  const list: Buffer[] = []
  const largest = 1 + random.below(40)
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(largest)
    list.push(Buffer.from(bytes.subarray(at, at + size)))
    at += size
  }
  return list
}

/** Number of values that something is made of, as a measure of the memory that it takes. */
export function valuesIn(value: unknown): number {
  if (typeof value === 'string') return 1 + value.length / 8
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 1
  let sum = 1
  for (const part of Object.values(value)) sum += valuesIn(part)
  return sum
}
