import { setTimeout as pause } from 'node:timers/promises'
import type { Connection } from 'mysql2/promise'
import type { Random } from '../fuzz/random.js'
import type { Recorder } from './history.js'
import { type BegunWrite, causal, type Registers, readRegisters, update } from './registers.js'

/** A client that writes and reads registers at random, one session after the other, and records what it sees. */

export const SHARED_REGISTERS = 8
/** Each has shared registers of its own, so that what is read under a key has mostly been written under it just before. */
const TOKENS = ['one', 'two', 'three', 'four'] as const
const RECONNECT_PAUSE_MS = 50
const PAUSE_MS_MAX = 30

export interface World {
  readonly recorder: Recorder
  readonly table: string
  /** False: clients share causal keys without saying so, and nobody can keep what they expect. */
  readonly tellsTokens: boolean
  /** performance.now() at which clients begin nothing more. */
  readonly until: number
  /** How often each error was met, by what the client was doing. */
  readonly errors: Map<string, number>
  connect(): Promise<Connection>
  nextSession(): number
}

/** Registers 1 to SHARED_REGISTERS are everybody's; behind them each client has one. */
export function registerCount(clients: number): number {
  return SHARED_REGISTERS + clients
}

type Activity = 'write' | 'read' | 'transaction' | 'read-only transaction' | 'new session' | 'reset' | 'pause'

/** How often, of a hundred times, each is done by clients that write much and by those that mostly read. */
const WRITERS = mix({
  write: 26,
  read: 50,
  transaction: 10,
  'read-only transaction': 5,
  'new session': 2,
  reset: 2,
  pause: 5,
})
const READERS = mix({
  write: 3,
  read: 75,
  transaction: 1,
  'read-only transaction': 6,
  'new session': 3,
  reset: 2,
  pause: 10,
})

function mix(times: Record<Activity, number>): Activity[] {
  return Object.entries(times).flatMap(([name, count]) => Array<Activity>(count).fill(name as Activity))
}

/** What an operation is about: a causal key and the registers under it, or registers without one. */
interface Subject {
  readonly token: string | null
  readonly registers: readonly number[]
}

export class Client {
  readonly #world: World
  readonly #random: Random
  readonly #activities: readonly Activity[]
  readonly #ownRegister: number
  #registers: Registers | null = null
  /** Of the own register; each is used once, whatever became of it. */
  #lastOwnVersion = 0
  /** What was written last, to be read soon. */
  #recent: Subject

  constructor(world: World, index: number, random: Random) {
    this.#world = world
    this.#random = random
    this.#activities = index % 2 === 0 ? WRITERS : READERS
    this.#ownRegister = SHARED_REGISTERS + 1 + index
    this.#recent = { token: null, registers: [this.#ownRegister] }
  }

  async run(): Promise<void> {
    while (performance.now() < this.#world.until) {
      const activity = this.#registers === null ? 'new session' : this.#random.pick(this.#activities)
      try {
        await this.#perform(activity)
      } catch (error) {
        await this.#onError(activity, error as Error)
      }
    }
    this.#end()
  }

  #perform(activity: Activity): Promise<void> {
    const registers = this.#registers
    if (registers === null || activity === 'new session') return this.#begin()
    if (activity === 'reset') return this.#reset(registers)
    if (activity === 'pause') return pause(this.#random.below(PAUSE_MS_MAX))
    if (activity === 'write') return this.#write(registers)
    if (activity === 'read') return this.#read(registers)
    if (activity === 'transaction') return this.#transaction(registers)
    return this.#readOnlyTransaction(registers)
  }

  async #begin(): Promise<void> {
    this.#end()
    const { recorder, table, tellsTokens } = this.#world
    const began = recorder.now()
    const connection = await this.#world.connect()
    const session = this.#world.nextSession()
    this.#registers = { connection, recorder, random: this.#random, table, tellsTokens, session, began }
  }

  /** As after a login, on the same connection. */
  async #reset(registers: Registers): Promise<void> {
    const began = this.#world.recorder.now()
    await registers.connection.reset()
    this.#registers = { ...registers, began }
  }

  #end(): void {
    this.#registers?.connection.destroy()
    this.#registers = null
  }

  /** The session ends: whatever was open ends with it, and the outcome of a write stays unknown. */
  async #onError(activity: Activity, error: Error & { errno?: number }): Promise<void> {
    const { errors } = this.#world
    const text = `${activity}: ${error.message.replace(/:\d{4,5}\b/g, ':port')} (${error.errno ?? 'no errno'})`
    errors.set(text, (errors.get(text) ?? 0) + 1)
    this.#end()
    await pause(RECONNECT_PAUSE_MS)
  }

  async #write(registers: Registers): Promise<void> {
    const { recorder } = this.#world
    const subject = this.#subject()
    const write = await this.#update(registers, this.#random.pick(subject.registers), subject.token)
    recorder.add({ ...write, end: recorder.now(), acknowledged: true })
    this.#recent = subject
  }

  async #read(registers: Registers): Promise<void> {
    const random = this.#random
    const subject = random.once(2) ? this.#recent : this.#subject()
    const { token } = subject
    const level =
      token === null && random.once(10) ? random.pick(['eventual', 'global', 'global', 'strong'] as const) : 'session'
    this.#world.recorder.add(await readRegisters(registers, this.#someOf(subject), { token, level }))
  }

  async #transaction(registers: Registers): Promise<void> {
    const { recorder } = this.#world
    const random = this.#random
    const { connection } = registers
    const subject = this.#subject()
    const { token } = subject
    const isImplicit = random.once(4)
    await connection.query(isImplicit ? 'SET autocommit = 0' : random.pick(['BEGIN', 'START TRANSACTION']))
    const writes: BegunWrite[] = []
    const written = new Set<number>()
    let snapshotAt: number | undefined
    // Always upwards, so that transactions wait for each other and never in a circle.
    for (const register of [...new Set([...subject.registers, this.#ownRegister])].sort((a, b) => a - b)) {
      if (random.once(3)) {
        snapshotAt ??= recorder.now()
        const options = { token, begin: snapshotAt, without: new Set(written) }
        recorder.add(await readRegisters(registers, this.#someOf(subject), options))
      }
      if (random.once(3)) continue
      writes.push(await this.#update(registers, register, token))
      written.add(register)
    }
    const isCommitted = !random.once(4)
    await connection.query(`${causal(registers, token)}${isCommitted ? 'COMMIT' : 'ROLLBACK'}`)
    if (isCommitted) for (const write of writes) recorder.add({ ...write, end: recorder.now(), acknowledged: true })
    if (isImplicit) await connection.query('SET autocommit = 1')
    this.#recent = subject
  }

  /** Without tokens: its server is chosen before the first read is known. */
  async #readOnlyTransaction(registers: Registers): Promise<void> {
    const { recorder } = this.#world
    await registers.connection.query('START TRANSACTION READ ONLY')
    const begin = recorder.now()
    for (let reads = this.#random.below(3); reads >= 0; reads--) {
      recorder.add(await readRegisters(registers, this.#someOf({ ...this.#recent, token: null }), { begin }))
    }
    await registers.connection.query('COMMIT')
  }

  #update(registers: Registers, register: number, token: string | null): Promise<BegunWrite> {
    return update(registers, register, register === this.#ownRegister ? ++this.#lastOwnVersion : null, token)
  }

  #subject(): Subject {
    const random = this.#random
    if (random.once(3)) return { token: null, registers: [this.#ownRegister] }
    if (random.once(2)) return { token: null, registers: [1 + random.below(SHARED_REGISTERS)] }
    const key = random.below(TOKENS.length)
    const share = SHARED_REGISTERS / TOKENS.length
    const registers = Array.from({ length: share }, (_, index) => 1 + key * share + index)
    return { token: TOKENS[key], registers }
  }

  /** Its registers, and now and then others. */
  #someOf({ registers }: Subject): number[] {
    const others = Array.from({ length: this.#random.below(3) }, () => 1 + this.#random.below(SHARED_REGISTERS))
    return [...new Set([...registers, ...others])]
  }
}
