import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  Answer,
  ClientLogin,
  Command,
  collationById,
  decodeAttributes,
  decodeBinaryRow,
  decodeChangeUser,
  decodeColumnCount,
  decodeColumnDefinition,
  decodeEof,
  decodeErr,
  decodeFieldList,
  decodeGreeting,
  decodeHandshakeResponse,
  decodeOk,
  decodePrepareOk,
  decodeProcessKill,
  decodeProxyHeader,
  decodeQueryAttributes,
  decodeSessionState,
  decodeSetOption,
  decodeStmtBulkExecute,
  decodeStmtExecute,
  decodeTextRow,
  encodeProxyHeader,
  FieldType,
  Frame,
  Framer,
  isSslRequest,
  ProtocolError,
  parseNativeHash,
  parseSha2Hash,
  queryTextOffset,
  ResultSetDecoder,
  rsaKeyPairOnDemand,
  ServerLogin,
} from '../../protocol/index.js'
import { loadCaptures } from '../wire/capture.js'
import { follow } from '../wire/follow.js'

/*
 * Invariant: whatever bytes come, a decoder returns a value or throws ProtocolError, never another error; it does not
 * read past its payload (bytes behind it change nothing); it comes to an end, with memory in proportion to its input.
 * Framer and ResponseFollower say the same however the bytes are cut.
 *
 * SLUICE_FUZZ_SEED repeats a run; SLUICE_FUZZ_ITERATIONS makes it longer (a million for the long mode).
 */
const SEED = Number(process.env.SLUICE_FUZZ_SEED ?? Date.now() % 1_000_000)
const ITERATIONS = Number(process.env.SLUICE_FUZZ_ITERATIONS ?? 2000)
const TIMEOUT_MS = 60_000 + ITERATIONS

/** xorshift32. */
let state = (SEED * 2_654_435_761 + 1) >>> 0 || 1
function random(below: number): number {
  state ^= state << 13
  state >>>= 0
  state ^= state >>> 17
  state ^= state << 5
  state >>>= 0
  return state % below
}

const corpus = loadCaptures().flatMap(({ capture }) =>
  capture.exchanges.map(({ answer, packets }) => ({
    answer,
    capabilities: Number.parseInt(capture.capabilities, 16),
    mariadbCapabilities: Number.parseInt(capture.mariadbCapabilities, 16),
    packets: packets.map(({ from, hex }) => ({ from, bytes: Buffer.from(hex, 'hex') })),
  })),
)
const payloads = corpus.flatMap(({ packets }) => packets.map(({ bytes }) => bytes.subarray(4)))
const columns = [
  FieldType.LONG,
  FieldType.VAR_STRING,
  FieldType.DATETIME,
  FieldType.TIME,
  FieldType.LONGLONG,
  0xf3,
].map((type) => ({ type, flags: 0, decimals: 6 }))

/** Bytes that mean something special somewhere. */
const SPECIAL = [0x00, 0x01, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff]

function mutate(bytes: Buffer): Buffer {
  let mutated = Buffer.from(bytes)
  for (let i = random(4); i >= 0; i--) {
    const at = random(mutated.length + 1)
    const kind = random(5)
    if (kind === 0) mutated = mutated.subarray(0, at)
    else if (kind === 1 && at < mutated.length) mutated[at] ^= 1 << random(8)
    else if (kind === 2 && at < mutated.length) mutated[at] = SPECIAL[random(SPECIAL.length)]
    else if (kind === 3) mutated = Buffer.concat([mutated.subarray(0, at), noise(random(12)), mutated.subarray(at)])
    else mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + random(6))])
  }
  return mutated
}

function noise(length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => (random(3) === 0 ? SPECIAL[random(SPECIAL.length)] : random(256))))
}

const input = () => (random(8) === 0 ? noise(random(80)) : mutate(payloads[random(payloads.length)]))

const DECODERS: Record<string, (payload: Buffer, flags: number) => unknown> = {
  greeting: (payload) => decodeGreeting(payload),
  handshakeResponse: (payload) => decodeHandshakeResponse(payload),
  sslRequest: (payload) => isSslRequest(payload),
  attributes: (payload) => decodeAttributes(payload),
  ok: (payload, flags) => decodeOk(payload, flags),
  err: (payload) => decodeErr(payload),
  eof: (payload) => decodeEof(payload),
  sessionState: (payload) => decodeSessionState(payload),
  columnCount: (payload, flags) => decodeColumnCount(payload, flags, flags & 0x3f),
  columnDefinition: (payload, flags) => decodeColumnDefinition(payload, flags & 0x3f),
  textRow: (payload, flags) => decodeTextRow(payload, flags & 0xff),
  hugeTextRow: (payload) => decodeTextRow(payload, Number.MAX_SAFE_INTEGER),
  binaryRow: (payload) => decodeBinaryRow(payload, columns),
  prepareOk: (payload, flags) => decodePrepareOk(payload, flags),
  stmtExecute: (payload, capabilities) =>
    decodeStmtExecute(asCommand(payload, Command.STMT_EXECUTE), { parameterCount: capabilities & 7, capabilities }),
  stmtExecuteOfMany: (payload, capabilities) =>
    decodeStmtExecute(asCommand(payload, Command.STMT_EXECUTE), { parameterCount: 65_535, capabilities }),
  stmtBulkExecute: (payload, flags) =>
    decodeStmtBulkExecute(asCommand(payload, Command.STMT_BULK_EXECUTE), 1 + (flags & 7)),
  queryAttributes: (payload, flags) => decodeQueryAttributes(payload, 0, payload.length, flags),
  queryText: (payload, flags) => queryTextOffset(payload, 0, payload.length, flags),
  changeUser: (payload, flags) => decodeChangeUser(asCommand(payload, Command.CHANGE_USER), flags),
  fieldList: (payload) => decodeFieldList(asCommand(payload, Command.FIELD_LIST)),
  processKill: (payload) => decodeProcessKill(asCommand(payload, Command.PROCESS_KILL)),
  setOption: (payload) => decodeSetOption(asCommand(payload, Command.SET_OPTION)),
  hashes: (payload) => [parseSha2Hash(payload.toString('latin1')), parseNativeHash(payload.toString('latin1'))],
  collation: (_payload, flags) => collationById(flags),
  proxyHeader: (payload) => decodeProxyHeader(payload),
  mutatedProxyHeader: (payload, flags) => decodeProxyHeader(proxyHeader(payload, flags)),
}

/** A true header of either version with the payload behind it, and one of its bytes changed; half of the time cut there. */
function proxyHeader(payload: Buffer, flags: number): Buffer {
  const endpoints = {
    family: 'tcp6',
    sourceAddress: '2001:db8::9',
    sourcePort: flags & 0xffff,
    destinationAddress: '::1',
    destinationPort: 6033,
  } as const
  const bytes = Buffer.concat([encodeProxyHeader((flags & 1) === 0 ? 1 : 2, endpoints), payload])
  const at = (flags >>> 8) % 60
  bytes[at] = flags >>> 24
  return (flags & 2) === 0 ? bytes : bytes.subarray(0, at)
}

/** Half of the time with the right number in front, so that more than the first byte is looked at. */
function asCommand(payload: Buffer, command: number): Buffer {
  if (payload.length > 0 && (payload.length & 1) === 0) payload[0] = command
  return payload
}

/** What came out: a value or the ProtocolError's code; any other error fails the test. */
function outcome(what: () => unknown): unknown {
  try {
    return what()
  } catch (error) {
    if (error instanceof ProtocolError) return `refused: ${error.message}`
    throw error
  }
}

/** Lets the test runner's own messages through: a long run must not look like one that hangs. */
const breathe = () => new Promise((resolve) => setImmediate(resolve))

const because = (hex: string) => `SLUICE_FUZZ_SEED=${SEED}, input ${hex}`

describe(`with random bytes (SLUICE_FUZZ_SEED=${SEED}, ${ITERATIONS} iterations)`, () => {
  for (const [name, decode] of Object.entries(DECODERS)) {
    it(
      `the decoder "${name}" returns or refuses, and never looks behind its payload`,
      async () => {
        for (let i = 0; i < ITERATIONS; i++) {
          if (i % 1000 === 0) await breathe()
          const bytes = input()
          const flags = random(0x1_0000_0000)
          const hex = bytes.toString('hex')
          // The same payload at the end of its memory and in front of other bytes.
          const alone = Buffer.from(bytes)
          const inside = Buffer.concat([bytes, noise(40)]).subarray(0, bytes.length)
          let first: unknown
          expect(() => {
            first = outcome(() => decode(alone, flags))
          }, because(hex)).not.toThrow()
          if (i % 16 === 0)
            expect(
              outcome(() => decode(inside, flags)),
              because(hex),
            ).toEqual(first)
        }
      },
      TIMEOUT_MS,
    )
  }

  it(
    'a result set decoder takes any payloads in any order',
    async () => {
      for (let i = 0; i < ITERATIONS; i++) {
        if (i % 1000 === 0) await breathe()
        const { capabilities, mariadbCapabilities, packets } = corpus[random(corpus.length)]
        const decoder = new ResultSetDecoder(capabilities, mariadbCapabilities)
        const seen: string[] = []
        const run = () => {
          for (const { bytes } of packets) {
            const payload = random(4) === 0 ? input() : bytes.subarray(4)
            seen.push(payload.toString('hex'))
            decoder.payload(payload)
          }
        }
        expect(() => outcome(run), because(seen.join(' '))).not.toThrow()
      }
    },
    TIMEOUT_MS,
  )

  it(
    'the framer finds the same packets however the bytes are cut',
    async () => {
      for (let i = 0; i < ITERATIONS; i++) {
        if (i % 1000 === 0) await breathe()
        const bytes = stream()
        const limit = 1 + random(300)
        const whole = frames([bytes], limit)
        expect(frames(randomPieces(bytes), limit), because(bytes.toString('hex'))).toEqual(whole)
      }
    },
    TIMEOUT_MS,
  )

  it(
    'the follower says the same however the bytes are cut, and passes on what it was given',
    async () => {
      for (let i = 0; i < ITERATIONS; i++) {
        if (i % 1000 === 0) await breathe()
        const { capabilities, mariadbCapabilities } = corpus[random(corpus.length)]
        const answer = Object.values(Answer)[random(5)]
        const bytes = stream()
        const run = (chunks: Buffer[]) =>
          outcome(() => {
            const { follower, output, events } = follow(answer, chunks, capabilities, mariadbCapabilities)
            const { rows, errno, statusFlags, ended } = follower
            // While it goes on, the end of a packet that was cut may be held back.
            const prefix = bytes.subarray(0, output.length).equals(output)
            return {
              prefix,
              passedOn: ended ? output.length : 'not yet all',
              rows,
              errno,
              statusFlags,
              ended,
              events,
            }
          })
        const whole = run([bytes])
        if (typeof whole === 'object') expect(whole, because(bytes.toString('hex'))).toMatchObject({ prefix: true })
        expect(run(randomPieces(bytes)), because(bytes.toString('hex'))).toEqual(whole)
      }
    },
    TIMEOUT_MS,
  )

  const rsaKeyPair = rsaKeyPairOnDemand()

  it(
    'both logins end every exchange with done or fail, whatever comes',
    async () => {
      for (let i = 0; i < ITERATIONS; i++) {
        if (i % 1000 === 0) await breathe()
        const seen: string[] = []
        const run = () => {
          const machine = random(2) === 0 ? newServer() : newClient()
          for (let step = 0; step < 6; step++) {
            const payload = input()
            seen.push(payload.toString('hex'))
            const actions = machine.packet(payload, random(10) === 0 ? random(256) : nextSequence(machine, step))
            for (const action of actions) if (action.type === 'startTls') machine.tlsEstablished()
            // Nobody logs in with random bytes; the client's server may of course say OK at once.
            if (machine instanceof ServerLogin) expect(actions.every(({ type }) => type !== 'done')).toBe(true)
          }
        }
        expect(run, because(seen.join(' '))).not.toThrow()
      }
    },
    TIMEOUT_MS,
  )

  function newServer(): ServerLogin {
    const server = new ServerLogin({
      serverVersion: '9.7.0',
      connectionId: 1,
      capabilities: 0x7fff_ffff,
      collation: 255,
      status: 2,
      tls: { available: random(2) === 0, required: random(8) === 0 },
      clientHost: 'localhost',
      findAccount: (name) =>
        random(2) === 0 ? null : { name, secret: { kind: 'clear', password: 'not in captures' } },
      rsaKeyPair,
    })
    server.start()
    return server
  }

  function newClient(): ClientLogin {
    const tls = (['off', 'preferred', 'required'] as const)[random(3)]
    const options = { username: 'a', password: 'b', capabilities: 0x7fff_ffff, collation: 45, tls }
    return new ClientLogin({ ...options, allowRsaPublicKeyRetrieval: random(2) === 0 })
  }
})

/** Guesses the number that the machine expects: each side sends one packet for one of the other's. */
function nextSequence(machine: ServerLogin | ClientLogin, step: number): number {
  return 2 * step + (machine instanceof ServerLogin ? 1 : 0)
}

/** Some packets of one answer, with changes inside of them but right headers most of the time. */
function stream(): Buffer {
  const { packets } = corpus[random(corpus.length)]
  const parts = packets
    .filter(({ from }) => from === 'server')
    .map(({ bytes }) => {
      if (random(4) > 0) return bytes
      const payload = mutate(bytes.subarray(4))
      const header = Buffer.from(bytes.subarray(0, 4))
      if (random(8) > 0) header.writeUIntLE(payload.length, 0, 3)
      return Buffer.concat([header, payload])
    })
  return Buffer.concat(parts)
}

function randomPieces(bytes: Buffer): Buffer[] {
  const list: Buffer[] = []
  const largest = 1 + random(40)
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random(largest)
    list.push(Buffer.from(bytes.subarray(at, at + size)))
    at += size
  }
  return list
}

/** Packets and, joined, the bytes of large payloads. */
function frames(chunks: Buffer[], limit: number): string[] {
  const framer = new Framer(limit)
  const found: string[] = []
  for (const chunk of chunks) {
    framer.push(chunk)
    for (let kind = framer.next(); kind !== Frame.more; kind = framer.next()) {
      const { buffer, start, end, sequence } = framer
      if (kind === Frame.packet) found.push(`${sequence} ${buffer.toString('hex', start, end)}`)
      else if (kind === Frame.large) found.push(`large ${buffer.toString('hex', start - 4, end)}`)
      else found.push(`${found.pop()}${buffer.toString('hex', start, end)}`)
    }
  }
  // What is still coming of a large payload, or is held of a packet, differs by how much has been told of it.
  return found.filter((text) => !text.startsWith('large'))
}
