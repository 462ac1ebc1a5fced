import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import net from 'node:net'
import type { CapturedPacket } from './capture.js'

/** How long both sides have to be silent before an exchange counts as over. This is a recorder, not a test. */
const QUIET_MS = 150

/** A TCP forwarder that keeps the bytes it passes on, in the order in which they came. */
export class Tap {
  readonly #target: net.NetConnectOpts
  readonly #server: net.Server
  #seen: { from: 'client' | 'server'; chunk: Buffer }[] = []
  #lastByteAt = 0

  constructor(target: net.NetConnectOpts) {
    this.#target = target
    this.#server = net.createServer((client) => {
      const server = net.connect(this.#target)
      client.on('data', (chunk) => this.#note('client', chunk, server))
      server.on('data', (chunk) => this.#note('server', chunk, client))
      client.on('close', () => server.destroy())
      server.on('close', () => client.end())
      client.on('error', () => server.destroy())
      server.on('error', () => client.destroy())
    })
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as net.AddressInfo).port
  }

  close(): void {
    this.#server.close()
  }

  async quiet(): Promise<void> {
    this.#lastByteAt = Date.now()
    while (Date.now() - this.#lastByteAt < QUIET_MS) await new Promise((resolve) => setTimeout(resolve, 20))
  }

  /** The packets since the last call, cut by their headers alone. Bytes that are no packets (TLS) end the list. */
  take(): Pick<CapturedPacket, 'from' | 'hex'>[] {
    const packets: Pick<CapturedPacket, 'from' | 'hex'>[] = []
    const runs = joinRuns(this.#seen)
    this.#seen = []
    for (const { from, bytes } of runs) {
      for (let at = 0; at + 4 <= bytes.length; ) {
        const end = at + 4 + bytes.readUIntLE(at, 3)
        if (end > bytes.length) return packets
        packets.push({ from, hex: bytes.toString('hex', at, end) })
        at = end
      }
    }
    return packets
  }

  #note(from: 'client' | 'server', chunk: Buffer, to: net.Socket): void {
    this.#lastByteAt = Date.now()
    this.#seen.push({ from, chunk })
    to.write(chunk)
  }
}

/** Chunks of one direction that follow each other, in one piece. */
function joinRuns(seen: { from: 'client' | 'server'; chunk: Buffer }[]) {
  const runs: { from: 'client' | 'server'; bytes: Buffer }[] = []
  for (const { from, chunk } of seen) {
    const last = runs.at(-1)
    if (last?.from === from) last.bytes = Buffer.concat([last.bytes, chunk])
    else runs.push({ from, bytes: chunk })
  }
  return runs
}
