import { Buffer } from 'node:buffer'
import {
  Capability,
  ClientLogin,
  type ClientLoginAction,
  type ClientLoginOptions,
  encodeOk,
  Frame,
  Framer,
  frame,
  ServerLogin,
  type ServerLoginAction,
  type ServerLoginOptions,
  ServerStatus,
} from '../../../protocol/index.js'

export const ALL = 0x7fff_ffff & ~Capability.COMPRESS & ~Capability.ZSTD_COMPRESSION_ALGORITHM

type Outcome<A> = Extract<A, { type: 'done' } | { type: 'fail' }>

export interface PairResult {
  server: Outcome<ServerLoginAction>
  client: Outcome<ClientLoginAction>
  /** What went over the wire, in order: `C` or `S`, and the payload. */
  wire: { from: 'C' | 'S'; payload: Buffer; tls: boolean }[]
}

/** Judges passwords for `external` accounts. */
export type Judge = (password: Buffer) => 'ok' | { errno: number; sqlState: string; message: string }

/**
 * A server's and a client's login machine joined in memory, without a network. What one sends reaches the other byte by
 * byte, in memory that is overwritten afterwards.
 */
export class ConnectionPair {
  readonly server: ServerLogin
  readonly client: ClientLogin
  readonly #judge: Judge
  readonly #framers = { C: new Framer(), S: new Framer() }
  readonly #wire: PairResult['wire'] = []
  readonly #queue: { from: 'C' | 'S'; packet: Buffer }[] = []
  #tls = 0
  #server: PairResult['server'] | undefined
  #client: PairResult['client'] | undefined

  constructor(server: Partial<ServerLoginOptions>, client: Partial<ClientLoginOptions>, judge: Judge = () => 'ok') {
    this.#judge = judge
    this.server = new ServerLogin({
      serverVersion: '9.7.0-sluice',
      connectionId: 4711,
      capabilities: ALL,
      collation: 255,
      status: ServerStatus.AUTOCOMMIT,
      tls: { available: false, required: false },
      clientHost: '192.0.2.1',
      findAccount: () => null,
      ...server,
    })
    this.client = new ClientLogin({
      username: 'app',
      password: 'secret',
      capabilities: ALL,
      collation: 255,
      tls: 'off',
      ...client,
    })
  }

  run(): PairResult {
    this.#do('C', this.client.start())
    this.#do('S', this.server.start())
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      this.#wire.push({ from: next.from, payload: next.packet.subarray(4), tls: this.#tls === 2 })
      const [to, machine] = next.from === 'S' ? (['C', this.client] as const) : (['S', this.server] as const)
      byteByByte(this.#framers[to], next.packet, (payload, sequence) => this.#do(to, machine.packet(payload, sequence)))
    }
    if (this.#server === undefined || this.#client === undefined) throw new Error('the login came to no end')
    return { server: this.#server, client: this.#client, wire: this.#wire }
  }

  #do(side: 'C' | 'S', actions: (ServerLoginAction | ClientLoginAction)[]): void {
    for (const action of actions) {
      if (action.type === 'send') this.#queue.push({ from: side, packet: action.packet })
      else if (action.type === 'startTls') this.#upgrade()
      else if (action.type === 'verify') this.#verify(action.password)
      else if (action.type === 'done' || action.type === 'fail') this.#end(side, action)
    }
  }

  #verify(password: Buffer): void {
    const verdict = this.#judge(password)
    password.fill(0)
    this.#do('S', this.server.verified(verdict))
  }

  /** Both sides have said so: the connection is encrypted from here on. */
  #upgrade(): void {
    if (++this.#tls < 2) return
    this.#do('S', this.server.tlsEstablished())
    this.#do('C', this.client.tlsEstablished())
  }

  #end(side: 'C' | 'S', action: PairResult['server'] | PairResult['client']): void {
    if (side === 'C') {
      this.#client = action as PairResult['client']
      return
    }
    this.#server = action as PairResult['server']
    if (this.#server.type === 'fail') this.#queue.push({ from: 'S', packet: this.#server.packet })
    else this.#queue.push({ from: 'S', packet: frame(OK, this.#server.sequence) })
  }
}

export function byteByByte(framer: Framer, packet: Buffer, take: (payload: Buffer, sequence: number) => void): void {
  for (const byte of packet) {
    framer.push(Buffer.of(byte))
    if (framer.next() !== Frame.packet) continue
    const { buffer, start, end } = framer
    take(buffer.subarray(start, end), framer.sequence)
    buffer.fill(0, start, end)
  }
}

export const OK = encodeOk(
  { affectedRows: 0, lastInsertId: 0, statusFlags: 2, warnings: 0, info: Buffer.alloc(0), sessionState: [] },
  ALL,
)
