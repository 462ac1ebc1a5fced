import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { ClientLogin, type ClientLoginOptions, type ErrPacket, Frame, Framer } from '../../protocol/index.js'
import { PLAIN_CAPABILITIES } from './raw-client.js'

export interface HandLoginOptions extends Partial<ClientLoginOptions> {
  /** Options of node:tls; TLS is asked for when they are given. */
  readonly tlsOptions?: ConnectionOptions
  /** Bytes in front of the client's first packet. */
  readonly opening?: Buffer
  /** Path of a unix socket, instead of the port. */
  readonly path?: string
}

export interface HandLogin {
  readonly socket: Socket
  readonly tls: TLSSocket | null
  /** null: it was let in. */
  readonly error: ErrPacket | null
  /** Of the greeting; 0 when there was none. */
  readonly connectionId: number
  /** The newest TLS session, to be resumed. */
  session(): Promise<Buffer>
}

/** Logs in step by step, so that a test sees TLS itself. Rejects when the connection is closed without an answer. */
export async function loginByHand(port: number, options: HandLoginOptions = {}): Promise<HandLogin> {
  const { tlsOptions, opening, path, ...login } = options
  const plain = path === undefined ? connect({ host: '127.0.0.1', port }) : connect({ path })
  await once(plain, 'connect')
  if (opening !== undefined) plain.write(opening)
  const machine = new ClientLogin({
    username: 'app',
    password: 'app',
    capabilities: PLAIN_CAPABILITIES,
    collation: 45,
    tls: tlsOptions === undefined ? 'off' : 'required',
    allowRsaPublicKeyRetrieval: true,
    ...login,
  })
  const framer = new Framer()
  let socket: Socket = plain
  let tls: TLSSocket | null = null
  const sessions: Buffer[] = []
  let connectionId = 0
  const error = await new Promise<ErrPacket | null>((resolve, reject) => {
    const perform = (actions: ReturnType<ClientLogin['packet']>): void => {
      for (const action of actions) {
        if (action.type === 'send') socket.write(action.packet)
        else if (action.type === 'startTls') startTls()
        else if (action.type === 'fail') resolve(action.err)
        else if (action.type === 'done') {
          connectionId = action.greeting.connectionId
          resolve(null)
        }
      }
    }
    const onData = (chunk: Buffer): void => {
      framer.push(chunk)
      while (framer.next() === Frame.packet) {
        perform(machine.packet(framer.buffer.subarray(framer.start, framer.end), framer.sequence))
      }
    }
    const listen = (): void => {
      socket.on('data', onData)
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('the connection was closed')))
    }
    const startTls = (): void => {
      plain.removeListener('data', onData)
      tls = tlsConnect({ rejectUnauthorized: false, ...tlsOptions, socket: plain }, () =>
        perform(machine.tlsEstablished()),
      )
      tls.on('session', (session) => void sessions.push(session))
      socket = tls
      listen()
    }
    listen()
  }).catch((reason: unknown) => {
    plain.destroy()
    throw reason
  })
  const session = async (): Promise<Buffer> => {
    if (sessions.length === 0) await once(tls!, 'session')
    return sessions.at(-1)!
  }
  return { socket, tls, error, connectionId, session }
}
