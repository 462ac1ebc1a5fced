import { Buffer } from 'node:buffer'
import { expect } from 'vitest'
import {
  AuthPlugin,
  Capability,
  ClientLogin,
  type ClientLoginAction,
  type ClientLoginOptions,
  encodeAuthSwitch,
  encodeChangeUser,
  encodeErr,
  encodeOk,
  Frame,
  Framer,
  frame,
  nativeHash,
  nativeStage1,
  rsaKeyPairOnDemand,
  type Secret,
  ServerLogin,
  type ServerLoginAction,
  type ServerLoginOptions,
  sha2Digest,
  sha2Hash,
} from '../../protocol/index.js'
import { anyPayload, FuzzFile } from './fuzz.js'
import type { Random } from './random.js'

/*
 * Invariant: whatever packets come, a login machine throws nothing and ends each exchange with `done` or `fail`; and nobody is
 * let in who does not know the password.
 */

const PASSWORD = 'secret'
const WRONG = 'not the secret'
const SALT = Buffer.alloc(20, 'salt')
const rsaKeyPair = rsaKeyPairOnDemand()
const ALL = 0x7fff_ffff & ~Capability.COMPRESS & ~Capability.ZSTD_COMPRESSION_ALGORITHM
const PLUGINS = [...Object.values(AuthPlugin), 'dialog', '']
const NO_PASSWORD = { kind: 'none' } as const
const OK_HEADER = 0x00
const ERR_HEADER = 0xff
const REFUSAL = { errno: 1045, sqlState: '28000', message: 'Access denied' }

/** Made beforehand: a hash takes long. With a thousand rounds, the least there is. */
const HASH = sha2Hash(Buffer.from(PASSWORD), SALT, 1000)

function anySecret(random: Random): Secret {
  const digest = random.once(2) ? sha2Digest(PASSWORD) : undefined
  const hashes = [nativeHash('another'), nativeHash(PASSWORD)]
  return random.pick<Secret>([
    { kind: 'clear', password: PASSWORD },
    { kind: 'none' },
    { kind: 'native_hash', hash: nativeHash(PASSWORD) },
    { kind: 'sha2_hash', hash: HASH, digest },
    { kind: 'external', digest, nativeHashes: random.once(2) ? hashes : undefined },
    { kind: 'relay', plugin: random.pick(PLUGINS), data: random.noise(random.pick([0, 20, 21, 32, 33])) },
  ])
}

function serverOptions(random: Random, secret: Secret): ServerLoginOptions {
  const account = { name: 'app', secret }
  const tls = { available: random.once(2), required: random.once(10) }
  return {
    serverVersion: '9.7.0',
    connectionId: 1,
    capabilities: ALL,
    collation: 255,
    status: 2,
    tls,
    defaultPlugin: random.pick([AuthPlugin.CACHING_SHA2, AuthPlugin.NATIVE]),
    secureTransport: random.once(4),
    clientHost: 'localhost',
    findAccount: () => (random.once(4) ? 'later' : random.once(12) ? null : account),
    rsaKeyPair: random.once(4) ? () => null : rsaKeyPair,
    ...(random.once(3) && {
      changeUser: { capabilities: ALL, mariadbCapabilities: 0, tls: tls.available },
    }),
  }
}

function clientOptions(random: Random, password: string): ClientLoginOptions {
  const relay = random.once(5)
  const onlyStage1 = !relay && random.once(6)
  return {
    username: 'app',
    password: relay || onlyStage1 ? '' : password,
    relay,
    nativeStage1: onlyStage1 || random.once(6) ? nativeStage1(password) : undefined,
    capabilities: random.once(4) ? random.u32() & ALL : ALL,
    collation: 45,
    tls: random.pick(['off', 'preferred', 'required'] as const),
    secureTransport: random.once(4),
    allowRsaPublicKeyRetrieval: random.once(2),
    serverPublicKey: random.once(4) ? rsaKeyPair().publicKeyPem : undefined,
    database: random.once(3) ? 'test' : undefined,
    attributes: random.once(3) ? random.noise(random.below(20)) : undefined,
  }
}

/** What the owner of a server's machine may do next, and what it may not: each in its order. */
class ServerOwner {
  readonly machine: ServerLogin
  /** The owner itself has said that the password is right. */
  vouched = false
  ended: 'done' | 'fail' | null = null
  readonly #random: Random
  readonly #secret: Secret
  readonly #packets: Buffer[] = []
  #pending: (() => ServerLoginAction[]) | null = null

  constructor(random: Random, secret: Secret, options: ServerLoginOptions) {
    this.#random = random
    this.#secret = secret
    this.machine = new ServerLogin(options)
  }

  get kind(): Secret['kind'] {
    return this.#secret.kind
  }

  /** Packets sent since the last call. */
  sent(): Buffer[] {
    return this.#packets.splice(0)
  }

  start(changeUser: Buffer | null): void {
    this.perform(changeUser === null ? this.machine.start() : this.machine.changeUser(changeUser, 0))
  }

  perform(actions: ServerLoginAction[]): void {
    for (const [index, action] of actions.entries()) {
      expect(this.ended).toBeNull()
      if (action.type === 'send') this.#packets.push(action.packet)
      else expect(index).toBe(actions.length - 1)
      if (action.type === 'fail') this.#packets.push(action.packet)
      if (action.type === 'done' || action.type === 'fail') this.ended = action.type
      if (action.type === 'startTls') this.#pending = () => this.machine.tlsEstablished()
      if (action.type === 'verify') this.#pending = () => this.#verify(action.password)
      if (action.type === 'relay') this.#pending = () => this.#relayed()
    }
    if (this.ended === null && this.machine.state === 'lookup') this.#pending = () => this.#lookUp()
  }

  /** Does what the machine waits for; its owner takes its time. */
  settle(): void {
    for (let pending = this.#pending; pending !== null && this.ended === null; pending = this.#pending) {
      this.#pending = null
      this.perform(pending())
    }
  }

  #verify(password: Buffer): ServerLoginAction[] {
    const right = password.equals(Buffer.from(PASSWORD))
    password.fill(0)
    this.vouched ||= right
    return this.machine.verified(right ? 'ok' : REFUSAL)
  }

  #lookUp(): ServerLoginAction[] {
    if (this.#random.once(6)) return this.machine.verified(REFUSAL)
    return this.machine.accountFound(this.#random.once(6) ? null : { name: 'app', secret: this.#secret })
  }

  #relayed(): ServerLoginAction[] {
    const random = this.#random
    if (random.once(3)) return this.machine.verified(REFUSAL)
    if (random.once(4)) return this.#accepted()
    const question = random.once(2)
      ? Buffer.concat([Buffer.of(1), random.noise(random.below(30))])
      : encodeAuthSwitch(random.pick(PLUGINS), random.noise(random.below(40)))
    const asked = random.once(3) ? random.mutate(question) : question
    // From a server these are no questions: ClientLogin, which the owner has there, takes them for the end.
    if (asked[0] === OK_HEADER) return this.#accepted()
    if (asked[0] === ERR_HEADER) return this.machine.verified(REFUSAL)
    return this.machine.relayed(asked)
  }

  #accepted(): ServerLoginAction[] {
    this.vouched = true
    return this.machine.verified('ok')
  }
}

/** The owner of a client's machine, who has no idea in relay mode. */
class ClientOwner {
  readonly machine: ClientLogin
  ended: 'done' | 'fail' | null = null
  readonly #random: Random
  readonly #packets: Buffer[] = []
  #pending: (() => ClientLoginAction[]) | null = null

  constructor(random: Random, options: ClientLoginOptions) {
    this.#random = random
    this.machine = new ClientLogin(options)
    this.perform(this.machine.start())
  }

  sent(): Buffer[] {
    return this.#packets.splice(0)
  }

  perform(actions: ClientLoginAction[]): void {
    for (const [index, action] of actions.entries()) {
      expect(this.ended).toBeNull()
      if (action.type === 'send') this.#packets.push(action.packet)
      else expect(index).toBe(actions.length - 1)
      if (action.type === 'done' || action.type === 'fail') this.ended = action.type
      if (action.type === 'startTls') this.#pending = () => this.machine.tlsEstablished()
      if (action.type === 'relay') this.#pending = () => this.#answer()
    }
  }

  settle(): void {
    const pending = this.#pending
    this.#pending = null
    if (pending !== null && this.ended === null) this.perform(pending())
  }

  #answer(): ClientLoginAction[] {
    // A server may have ended the exchange, or have asked again, meanwhile.
    if (this.machine.state !== 'relaying') return []
    return this.machine.relayed(this.#random.noise(this.#random.pick([0, 1, 20, 32, 96, 256])))
  }
}

/** The number that a machine expects most of the time, else any. */
function numberOf(random: Random, right: number): number {
  return random.once(30) ? random.below(256) : right & 0xff
}

/** What a client that changes its user sends. */
function changeUserPayload(random: Random): Buffer {
  const change = {
    username: 'app',
    authResponse: random.noise(random.pick([0, 20, 32])),
    collation: 45,
    authPlugin: random.pick(PLUGINS),
    database: 'test',
    attributes: random.noise(random.below(10)),
  }
  const payload = encodeChangeUser(change, ALL)
  return random.once(2) ? random.mutate(payload) : payload
}

/** Both machines joined; what one sends is changed on the way now and then. */
function joined(random: Random, password: string, changes: number): { server: ServerOwner; client: ClientOwner } {
  const secret = anySecret(random)
  const { changeUser: _, ...options } = serverOptions(random, secret)
  const server = new ServerOwner(random, secret, options)
  const client = new ClientOwner(random, clientOptions(random, password))
  server.start(null)
  for (let round = 0; round < 20; round++) {
    const toClient = server.sent()
    if (server.ended === 'done') toClient.push(frame(OK, 0))
    for (const packet of toClient) deliver(random, packet, changes, client)
    const toServer = client.sent()
    for (const packet of toServer) deliver(random, packet, changes, server)
    server.settle()
    client.settle()
    if (toClient.length + toServer.length === 0) break
  }
  return { server, client }
}

interface Owner {
  readonly ended: string | null
  readonly machine: { packet(payload: Buffer, sequence: number): (ServerLoginAction & ClientLoginAction)[] | unknown }
  perform(actions: never): void
}

function deliver(random: Random, packet: Buffer, changes: number, to: Owner): void {
  const framer = new Framer()
  framer.push(packet)
  if (framer.next() !== Frame.packet || to.ended !== null) return
  const payload = Buffer.from(framer.buffer.subarray(framer.start, framer.end))
  const given = changes > 0 && random.once(changes) ? random.mutate(payload) : payload
  random.note(given)
  to.perform(to.machine.packet(given, changes === 0 ? framer.sequence : numberOf(random, framer.sequence)) as never)
  // The memory that a packet came in is used again.
  given.fill(0xaa)
}

const OK = encodeOk(
  { affectedRows: 0, lastInsertId: 0, statusFlags: 2, warnings: 0, info: Buffer.alloc(0), sessionState: [] },
  ALL,
)

/** A packet that a server may send in a login, more or less. */
function serverPacket(random: Random): Buffer {
  const kind = random.below(8)
  if (kind === 0) return OK
  if (kind === 1) return encodeErr(REFUSAL)
  if (kind === 2) return Buffer.of(1, random.pick([2, 3, 4, 5]))
  if (kind === 3) return Buffer.concat([Buffer.of(1), rsaKeyPair().publicKeyPem])
  if (kind === 4) return Buffer.concat([Buffer.of(0x50, random.below(6)), random.noise(18)])
  if (kind === 5) return anyPayload(random)
  return encodeAuthSwitch(random.pick(PLUGINS), random.noise(random.pick([0, 8, 20, 21, 32, 33])))
}

const file = new FuzzFile('logins')

file.describe(() => {
  file.target("the server's side takes any packets, at a login and at a change of user", (random) => {
    const secret = anySecret(random)
    const options = serverOptions(random, secret)
    const owner = new ServerOwner(random, secret, options)
    owner.start(options.changeUser === undefined ? null : random.note(changeUserPayload(random)))
    owner.settle()
    let number = 1
    for (let step = 0; step < 8 && owner.ended === null; step++) {
      const payload = random.note(random.once(3) ? random.noise(random.pick([0, 1, 20, 32, 256])) : anyPayload(random))
      number = owner.sent().at(-1)?.[3] ?? number
      owner.perform(owner.machine.packet(payload, numberOf(random, ++number)))
      owner.settle()
    }
    // Nobody logs in with random bytes, where there is a password.
    if (secret.kind !== 'none' && !owner.vouched) expect(owner.ended).not.toBe('done')
  })

  file.target("the client's side takes any packets, with every plugin that it knows", (random) => {
    const owner = new ClientOwner(random, clientOptions(random, PASSWORD))
    const greeter = new ServerOwner(random, NO_PASSWORD, {
      ...serverOptions(random, NO_PASSWORD),
      capabilities: random.once(2) ? random.u32() : ALL,
      defaultPlugin: random.pick(PLUGINS),
    })
    greeter.start(null)
    const [greeting] = greeter.sent()
    const first = greeting.subarray(4)
    let number = 0
    for (let step = 0; step < 8 && owner.ended === null; step++) {
      const payload = random.note(step > 0 ? serverPacket(random) : random.once(3) ? random.mutate(first) : first)
      owner.perform(owner.machine.packet(random.once(4) ? random.mutate(payload) : payload, numberOf(random, number)))
      owner.settle()
      number = (owner.sent().at(-1)?.[3] ?? number) + 1
    }
  })

  file.target(
    'both sides joined by a wire that changes packets: who does not know the password is not let in',
    (random) => {
      const { server } = joined(random, WRONG, 6)
      if (server.ended === 'done') expect(server.vouched || server.kind === 'none').toBe(true)
    },
  )

  file.target('both sides joined by a wire that changes packets: the right password, every way', (random) => {
    joined(random, PASSWORD, 6)
  })

  file.target('both sides joined by a wire that changes nothing come to an end together', (random) => {
    const { server, client } = joined(random, PASSWORD, 0)
    random.notes.push(`server ${server.machine.state}, client ${client.machine.state}`)
    expect(server.ended ?? client.ended).not.toBeNull()
    if (client.ended === 'done') expect(server.ended).toBe('done')
  })
})
