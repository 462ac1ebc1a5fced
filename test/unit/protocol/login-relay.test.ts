import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import {
  type Account,
  AuthPlugin,
  Capability,
  ClientLogin,
  type ClientLoginAction,
  type ClientLoginOptions,
  encodeAuthSwitch,
  Framer,
  frame,
  nativeHash,
  rsaKeyPairOnDemand,
  type Secret,
  ServerLogin,
  type ServerLoginAction,
  type ServerLoginOptions,
} from '../../../protocol/index.js'
import { ALL, byteByByte, OK } from './connection-pair.js'

const PASSWORD = 'secret'
const keys = rsaKeyPairOnDemand()

const SERVER: ServerLoginOptions = {
  serverVersion: '11.8.6-MariaDB',
  connectionId: 1,
  capabilities: ALL,
  collation: 45,
  status: 2,
  tls: { available: false, required: false },
  clientHost: '192.0.2.1',
  findAccount: () => null,
}
const CLIENT: ClientLoginOptions = { username: 'app', password: PASSWORD, capabilities: ALL, collation: 45, tls: 'off' }

type End = Extract<ServerLoginAction | ClientLoginAction, { type: 'done' } | { type: 'fail' }>
type Name = 'client' | 'front' | 'back' | 'real'

/**
 * A client, the two machines of a proxy that does not know the password, and a real server; everything goes byte by byte
 * through memory that is overwritten.
 */
class Chain {
  readonly machines: { client: ClientLogin; front: ServerLogin; back: ClientLogin; real: ServerLogin }
  readonly ends: Partial<Record<Name, End>> = {}
  /** Plugins that the real server switched to. */
  readonly switches: string[] = []
  readonly #framers = { client: new Framer(), front: new Framer(), back: new Framer(), real: new Framer() }

  constructor(real: Partial<ServerLoginOptions>, client: Partial<ClientLoginOptions> = {}) {
    const front = new ServerLogin({ ...SERVER, findAccount: () => 'later' })
    const back = new ClientLogin({ ...CLIENT, password: '', relay: true })
    const machines = {
      client: new ClientLogin({ ...CLIENT, ...client }),
      real: new ServerLogin({ ...SERVER, ...real }),
    }
    this.machines = { ...machines, front, back }
  }

  run(): this {
    this.#do('front', this.machines.front.start())
    return this
  }

  #do(who: Name, actions: (ServerLoginAction | ClientLoginAction)[]): void {
    for (const action of actions) {
      if (action.type === 'send') this.#deliver(PEERS[who], action.packet)
      else if (action.type === 'relay') this.#relay(action)
      else if (action.type === 'done' || action.type === 'fail') this.#end(who, action)
      else throw new Error(`${who} must not ${action.type}`)
    }
    if (this.machines.front.state === 'lookup' && this.machines.real.state === 'new') {
      this.#do('real', this.machines.real.start())
    }
  }

  #deliver(to: Name, packet: Buffer): void {
    byteByByte(this.#framers[to], packet, (payload, sequence) =>
      this.#do(to, this.machines[to].packet(payload, sequence)),
    )
  }

  #relay(action: Extract<ServerLoginAction | ClientLoginAction, { type: 'relay' }>): void {
    const { front, back } = this.machines
    if (!('kind' in action)) return this.#do('back', back.relayed(action.payload))
    if (action.kind === 'more') return this.#do('front', front.relayed(action.payload))
    this.switches.push(action.plugin)
    const { plugin, data } = action
    if (front.state !== 'lookup') return this.#do('front', front.relayed(encodeAuthSwitch(plugin, data)))
    this.#do('front', front.accountFound({ name: 'app', secret: { kind: 'relay', plugin, data } }))
  }

  #end(who: Name, action: End): void {
    this.ends[who] = action
    const { front } = this.machines
    if (who === 'real' || who === 'front') {
      const ok = action.type === 'done' && 'sequence' in action ? frame(OK, action.sequence) : undefined
      this.#deliver(PEERS[who], ok ?? ((action as { packet: Buffer }).packet as Buffer))
    } else if (who === 'back') {
      if (action.type === 'fail') this.#do('front', front.verified(action.err))
      else if (front.state !== 'lookup') this.#do('front', front.verified('ok'))
      else this.#do('front', front.accountFound({ name: 'app', secret: { kind: 'none' } }))
    }
  }
}

const PEERS: Record<Name, Name> = { client: 'front', front: 'client', back: 'real', real: 'back' }

const account = (secret: Secret) => ({ findAccount: (name: string): Account => ({ name, secret }) })
const NATIVE = { ...account({ kind: 'native_hash', hash: nativeHash(PASSWORD) }), defaultPlugin: AuthPlugin.NATIVE }
const SHA2 = { ...account({ kind: 'clear', password: PASSWORD }) }
const FULL_SHA2 = {
  findAccount: (name: string): Account => ({ name, secret: { kind: 'external' } }),
  rsaKeyPair: keys,
}

describe('a relayed login', () => {
  for (const [name, real] of Object.entries({ native: NATIVE, caching_sha2_password: SHA2 })) {
    it(`opens the server with the client's own answer: ${name}`, () => {
      const { ends, switches } = new Chain(real).run()
      expect(ends.real).toMatchObject({ type: 'done', login: { username: 'app' } })
      expect(ends.front).toMatchObject({ type: 'done', login: { account: { secret: { kind: 'relay' } } } })
      expect(ends.front).toMatchObject({ login: { authenticatedBy: switches[0], password: undefined } })
      expect(ends.client?.type).toBe('done')
      expect(ends.back?.type).toBe('done')
    })

    it(`is refused with the server's own error: ${name}`, () => {
      const { ends } = new Chain(real, { password: 'wrong', allowRsaPublicKeyRetrieval: true }).run()
      expect(ends.front).toMatchObject({ type: 'fail', reason: 'access-denied' })
      const message = "Access denied for user 'app'@'192.0.2.1' (using password: YES)"
      expect(ends.client).toMatchObject({ type: 'fail', err: { errno: 1045, message } })
    })
  }

  it('passes each step of a longer exchange on: the public key and the encrypted password', () => {
    const seen: string[] = []
    const chain = new Chain(FULL_SHA2, { allowRsaPublicKeyRetrieval: true })
    const { real } = chain.machines
    const verified = real.packet.bind(real)
    real.packet = (payload, sequence) =>
      verified(payload, sequence).flatMap((action) => {
        if (action.type !== 'verify') return [action]
        seen.push(action.password.toString())
        return real.verified('ok')
      })
    expect(chain.run().ends.client?.type).toBe('done')
    expect(seen).toEqual([PASSWORD])
  })

  it('lets the client see the error of a server that refuses it without a question', () => {
    const { ends } = new Chain({ tls: { available: false, required: true } }).run()
    expect(ends.client).toMatchObject({ type: 'fail', err: { errno: 3159 } })
  })

  it('of an account without a password does not let another password in', () => {
    const open = { ...account({ kind: 'none' }), defaultPlugin: AuthPlugin.NATIVE }
    expect(new Chain(open, { password: '' }).run().ends.client?.type).toBe('done')
    expect(new Chain(open, { password: 'x' }).run().ends.client).toMatchObject({ type: 'fail', err: { errno: 1045 } })
  })
})

const payloadsOf = (actions: readonly { type: string }[]) =>
  actions.map((action) => (action.type === 'send' ? (action as unknown as { packet: Buffer }).packet : action))

describe('a client machine in relay mode', () => {
  /** One that has answered a greeting. */
  function answered() {
    const real = new ServerLogin(SERVER)
    const back = new ClientLogin({ ...CLIENT, password: 'not to be used', relay: true })
    const [greeting] = payloadsOf(real.start()) as Buffer[]
    const [response] = payloadsOf(back.packet(greeting.subarray(4), 0)) as Buffer[]
    return { back, response }
  }

  it('says nothing of a password in its response', () => {
    const { response } = answered()
    expect(response.subarray(36)).toEqual(Buffer.from('app\0\0\0'))
  })

  it('takes the word of a server that asks nothing', () => {
    expect(answered().back.packet(OK, 2)).toMatchObject([{ type: 'done' }])
    const err = Buffer.from('\xff\x48\x04#28000Too many connections', 'latin1')
    expect(answered().back.packet(err, 2)).toMatchObject([{ type: 'fail', reason: 'refused', err: { errno: 1096 } }])
  })

  it('leaves questions to the owner that it would not answer itself', () => {
    for (const plugin of ['mysql_clear_password', 'sha256_password', 'dialog']) {
      const data = Buffer.from('Password: ')
      const { back } = answered()
      expect(back.packet(encodeAuthSwitch(plugin, data), 2)).toEqual([{ type: 'relay', kind: 'switch', plugin, data }])
      expect(payloadsOf(back.relayed(Buffer.from('secret\0')))).toEqual([frame(Buffer.from('secret\0'), 3)])
    }
  })

  it('hands on what MariaDB sends without the mark of AuthMoreData', () => {
    const { back } = answered()
    back.packet(encodeAuthSwitch('parsec', Buffer.alloc(32)), 2)
    back.relayed(Buffer.alloc(0))
    const payload = Buffer.from('P\0eighteen bytes.....')
    expect(back.packet(payload, 4)).toEqual([{ type: 'relay', kind: 'more', payload }])
  })

  it('takes the end of the login without an answer to what needs none', () => {
    const { back } = answered()
    back.packet(encodeAuthSwitch(AuthPlugin.CACHING_SHA2, Buffer.alloc(21)), 2)
    back.relayed(Buffer.alloc(32))
    expect(back.packet(Buffer.of(1, 3), 4)).toMatchObject([{ type: 'relay', kind: 'more' }])
    expect(back.packet(OK, 5)).toMatchObject([{ type: 'done', authenticatedBy: AuthPlugin.CACHING_SHA2 }])
  })

  it('refuses answers that nobody asked for, packets out of order, and endless switches', () => {
    const { back } = answered()
    expect(() => back.relayed(Buffer.of(1))).toThrow('the server asked nothing')
    expect(back.packet(encodeAuthSwitch('a', Buffer.alloc(0)), 3)).toMatchObject([{ reason: 'out-of-order' }])
    const other = answered().back
    for (const sequence of [2, 4]) {
      other.packet(encodeAuthSwitch('a', Buffer.alloc(0)), sequence)
      other.relayed(Buffer.of(1))
    }
    expect(other.packet(encodeAuthSwitch('a', Buffer.alloc(0)), 6)).toMatchObject([{ reason: 'malformed' }])
  })
})

describe('a server machine that relays', () => {
  const data = Buffer.from('20 bytes of scramble\0')
  const secret: Secret = { kind: 'relay', plugin: 'some_plugin', data }

  function asked(capabilities = ALL) {
    const front = new ServerLogin({ ...SERVER, ...account(secret) })
    const client = new ClientLogin({ ...CLIENT, capabilities })
    const [greeting] = payloadsOf(front.start()) as Buffer[]
    const [response] = payloadsOf(client.packet(greeting.subarray(4), 0)) as Buffer[]
    return { front, response }
  }

  it('asks at once, even a client that has that very plugin', () => {
    const { front, response } = asked()
    expect(payloadsOf(front.packet(response.subarray(4), 1))).toEqual([frame(encodeAuthSwitch('some_plugin', data), 2)])
  })

  it('hands over copies of what the client sends', () => {
    const { front, response } = asked()
    front.packet(response.subarray(4), 1)
    const payload = Buffer.from('answer')
    const [action] = front.packet(payload, 3)
    payload.fill(0)
    expect(action).toEqual({ type: 'relay', payload: Buffer.from('answer') })
  })

  it('numbers what comes back, and names the plugin of a second switch in the result', () => {
    const { front, response } = asked()
    front.packet(response.subarray(4), 1)
    front.packet(Buffer.of(1), 3)
    const more = Buffer.of(1, 2, 3)
    expect(payloadsOf(front.relayed(more))).toEqual([frame(more, 4)])
    front.packet(Buffer.of(2), 5)
    front.relayed(encodeAuthSwitch('another', Buffer.alloc(0)))
    front.packet(Buffer.of(3), 7)
    expect(front.verified('ok')).toMatchObject([{ type: 'done', sequence: 8, login: { authenticatedBy: 'another' } }])
  })

  it('refuses a client that does not wait for its turn', () => {
    const { front, response } = asked()
    front.packet(response.subarray(4), 1)
    front.packet(Buffer.of(1), 3)
    expect(front.packet(Buffer.of(1), 4)).toMatchObject([{ type: 'fail', reason: 'out-of-order' }])
  })

  it('cannot be given a packet before it relays', () => {
    const { front } = asked()
    expect(() => front.relayed(Buffer.of(1))).toThrow('no exchange is being relayed')
  })

  it('answers a client that knows no plugins with 1251', () => {
    const { front, response } = asked()
    response.writeUInt32LE((response.readUInt32LE(4) & ~Capability.PLUGIN_AUTH) >>> 0, 4)
    expect(front.packet(response.subarray(4), 1)).toMatchObject([{ type: 'fail', err: { errno: 1251 } }])
  })
})
