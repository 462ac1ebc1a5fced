import type { Buffer } from 'node:buffer'
import { once } from 'node:events'
import net from 'node:net'
import { ClientLogin, type ClientLoginOptions, type ClientLoginResult, Frame, Framer } from '../../protocol/index.js'

/** Logs in with chosen capabilities and leaves the socket for raw bytes: the recorder's client. */
export async function rawSession(
  address: net.NetConnectOpts,
  options: Partial<ClientLoginOptions> & Pick<ClientLoginOptions, 'username' | 'password' | 'capabilities'>,
): Promise<{ socket: net.Socket; login: ClientLoginResult }> {
  const socket = net.connect(address)
  await once(socket, 'connect')
  const login = new ClientLogin({ collation: 45, tls: 'off', allowRsaPublicKeyRetrieval: true, ...options })
  const framer = new Framer()
  const result = await new Promise<ClientLoginResult>((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      framer.push(chunk)
      while (framer.next() === Frame.packet) {
        for (const action of login.packet(framer.buffer.subarray(framer.start, framer.end), framer.sequence)) {
          if (action.type === 'send') socket.write(action.packet)
          else if (action.type === 'fail') reject(new Error(`login: ${action.err.errno} ${action.err.message}`))
          else if (action.type === 'done') {
            socket.off('data', onData)
            socket.resume()
            resolve(action)
          }
        }
      }
    }
    socket.on('data', onData)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the connection was closed during the login')))
  })
  return { socket, login: result }
}
