import type { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { ClientSocket } from '../../../../src/worker/client/client-socket.js'

it('a client stalls while what waits for it does not become less', () => {
  const socket = { writableLength: 0 }
  const client = new ClientSocket(socket as Socket, false)
  const looks = (waiting: number) => {
    socket.writableLength = waiting
    return client.lookForStall()
  }
  expect([looks(0), looks(0), looks(900), looks(900), looks(900)]).toEqual([0, 0, 0, 1, 2])
  expect([looks(800), looks(800), looks(0), looks(0)]).toEqual([0, 1, 0, 0])
})
