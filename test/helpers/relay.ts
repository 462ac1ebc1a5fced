import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** One client's way through a relay. */
interface Way {
  readonly client: Socket
  readonly server: Socket
  isMute: boolean
  /** Whether its client's first bytes contain what `mute` asks for. */
  readonly has: (text: string) => boolean
}

export interface Relay {
  readonly port: number
  /**
   * What servers answer on the connections that there are now arrives no more, nor does it that one side has ended: dead in one
   * direction, as behind a firewall that has forgotten them. New connections are not concerned.
   * @param account those of this account alone
   * @returns how many
   */
  mute(account: string): number
  close(): Promise<void>
}

/** Stands before a server's port on loopback, and can be made to lose what comes from it. */
export async function startRelay(target: number): Promise<Relay> {
  const ways = new Set<Way>()
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1')
    let login = ''
    const way: Way = { client, server, isMute: false, has: (text) => login.includes(text) }
    ways.add(way)
    client.on('data', (bytes) => {
      if (login === '') login = bytes.toString('latin1')
      server.write(bytes)
    })
    server.on('data', (bytes) => {
      if (!way.isMute) client.write(bytes)
    })
    for (const [one, other] of [
      [client, server],
      [server, client],
    ]) {
      one.on('error', () => {}) // its close follows
      one.on('close', () => {
        if (!way.isMute) other.destroy()
        if (client.destroyed && server.destroyed) ways.delete(way)
      })
    }
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return {
    port: (listener.address() as AddressInfo).port,
    mute(account) {
      const concerned = [...ways].filter((way) => way.has(account))
      for (const way of concerned) way.isMute = true
      return concerned.length
    },
    async close() {
      const closed = once(listener, 'close')
      listener.close()
      for (const { client, server } of ways) {
        client.destroy()
        server.destroy()
      }
      await closed
    },
  }
}
