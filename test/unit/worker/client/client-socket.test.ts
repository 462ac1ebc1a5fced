import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ClientSocket } from '../../../../src/worker/client/client-socket.js'

const BUSY = { timeout: 60_000, interval: 1 }
/** More than the system keeps for a client that reads nothing. */
const ANSWER_BYTES = 64 * 2 ** 20

describe('a client that has an answer waiting for it', () => {
  const open: { destroy(): void }[] = []
  afterEach(() => {
    for (const one of open.splice(0)) one.destroy()
  })

  async function pair(): Promise<{ proxy: Socket; client: Socket }> {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const [proxy] = (await once(server, 'connection')) as [Socket]
    server.close()
    open.push(proxy, client)
    return { proxy, client }
  }

  it('stalls while it reads nothing', async () => {
    const { proxy, client } = await pair()
    client.pause()
    const socket = new ClientSocket(proxy, false)
    expect(socket.lookForStall()).toBe(0)
    socket.write(Buffer.alloc(ANSWER_BYTES))
    await expect.poll(() => socket.lookForStall(), BUSY).toBeGreaterThan(20)
  })

  it('does not while it takes one long write, a part at a time', async () => {
    const { proxy, client } = await pair()
    client.pause()
    const socket = new ClientSocket(proxy, false)
    socket.write(Buffer.alloc(ANSWER_BYTES))
    await expect.poll(() => socket.lookForStall(), BUSY).toBeGreaterThan(20)
    let taken = 0
    client.on('data', (chunk) => {
      taken += chunk.length
      if (taken > ANSWER_BYTES / 2) client.pause()
    })
    client.resume()
    await expect.poll(() => socket.lookForStall() === 0 && proxy.writableLength > 0, BUSY).toBe(true)
  })

  it('does not while there is always as much waiting, since it gets more as it reads', () => {
    const fake = { writableLength: 900, bytesWritten: 900 }
    const socket = new ClientSocket(fake as Socket, false)
    const looks = (): number => socket.lookForStall()
    expect([looks(), looks(), looks()]).toEqual([0, 1, 2])
    fake.bytesWritten += 900
    expect([looks(), looks()]).toEqual([0, 1])
    fake.writableLength = 0
    expect([looks(), looks()]).toEqual([0, 0])
  })
})
