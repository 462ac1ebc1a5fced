import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { shareOut } from './generator.js'
import type { FromGenerator, LoadResult, LoadSpec, ToGenerator } from './messages.js'

const PROGRAM = fileURLToPath(new URL('./main.js', import.meta.url))
const SEED_STEP = 1_000_003

/** The bench's load generator processes; the load is shared out evenly. They are used for all rounds, so they stay warm. */
export class GeneratorProcesses {
  readonly #children: readonly ChildProcess[]

  constructor(count: number) {
    this.#children = Array.from({ length: count }, () => fork(PROGRAM))
  }

  /**
   * Connects and lets the load run.
   * @throws Error with what a generator met: an error from the server, a lost connection
   */
  async open(spec: LoadSpec): Promise<void> {
    const even = this.#children.map(() => 1 / this.#children.length)
    const connections = shareOut(spec.connections, even)
    await this.#all('opened', (index) => ({
      type: 'open',
      spec: {
        ...spec,
        connections: connections[index],
        rate: spec.rate === null ? null : spec.rate * even[index],
        seed: spec.seed + index * SEED_STEP,
      },
    }))
  }

  /** What is done from now on counts. */
  mark(): void {
    for (const child of this.#children) tell(child, { type: 'mark' })
  }

  async stop(): Promise<LoadResult[]> {
    const replies = await this.#all('result', () => ({ type: 'stop' }))
    return replies.map(({ result }) => result)
  }

  /** Is rejected when a generator gives up between `open` and `stop`; never fulfilled. End it with `signal`. */
  async failure(signal: AbortSignal): Promise<never> {
    return Promise.race(this.#children.map((child) => failureOf(child, signal)))
  }

  async end(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const exit = once(child, 'exit')
        if (child.connected) child.disconnect()
        await exit
      }),
    )
  }

  async #all<T extends FromGenerator['type']>(
    type: T,
    message: (index: number) => ToGenerator,
  ): Promise<Extract<FromGenerator, { type: T }>[]> {
    const over = new AbortController()
    try {
      const replies = Promise.all(this.#children.map((child) => replyOf(child, type, over.signal)))
      for (const [index, child] of this.#children.entries()) tell(child, message(index))
      return await replies
    } finally {
      over.abort()
    }
  }
}

function tell(child: ChildProcess, message: ToGenerator): void {
  child.send(message)
}

function replyOf<T extends FromGenerator['type']>(
  child: ChildProcess,
  type: T,
  signal: AbortSignal,
): Promise<Extract<FromGenerator, { type: T }>> {
  return new Promise((resolve, reject) => {
    listen(child, signal, reject, (message) => {
      if (message.type === type) resolve(message as Extract<FromGenerator, { type: T }>)
    })
  })
}

function failureOf(child: ChildProcess, signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => listen(child, signal, reject, () => {}))
}

function listen(
  child: ChildProcess,
  signal: AbortSignal,
  reject: (error: Error) => void,
  onMessage: (message: FromGenerator) => void,
): void {
  const onAny = (message: FromGenerator) => {
    if (message.type === 'failed') reject(new Error(message.message))
    else onMessage(message)
  }
  const onExit = () => reject(new Error('a load generator process ended unexpectedly'))
  child.on('message', onAny)
  child.once('exit', onExit)
  signal.addEventListener('abort', () => {
    child.off('message', onAny)
    child.off('exit', onExit)
  })
}
