import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ListenAddress } from '../../../../src/shared/snapshot.js'
import { Listeners } from '../../../../src/worker/client/listeners.js'

let folder: string
let addresses: readonly ListenAddress[]
let listeners: Listeners
const logged: string[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-listeners-'))
  addresses = [{ path: join(folder, 'one') }, { path: join(folder, 'other') }]
  const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line).msg) })
  listeners = new Listeners((socket) => socket.end('served'), log)
})

afterEach(() => {
  listeners.close()
  logged.length = 0
  rmSync(folder, { recursive: true, force: true })
})

/** What a client is told there; `refused` where nobody listens. */
function ask({ path }: ListenAddress): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path as string)
    socket.once('data', (data) => resolve(data.toString()))
    socket.once('error', () => resolve('refused'))
  })
}

const askAll = (): Promise<string[]> => Promise.all(addresses.map(ask))

it('a snapshot that comes while addresses are being bound for the first time does not bind them twice', async () => {
  const opening = listeners.open(addresses)
  const following = listeners.follow([...addresses])
  await Promise.all([opening, following])
  expect(await askAll()).toEqual(['served', 'served'])
  expect(logged).toEqual([])
})

it('clients are refused from a pause on, and served again after it', async () => {
  await listeners.open(addresses)
  await listeners.follow(null)
  expect(await askAll()).toEqual(['refused', 'refused'])
  await listeners.follow(addresses)
  expect(await askAll()).toEqual(['served', 'served'])
})

it('a pause while addresses are being bound is a pause', async () => {
  const opening = listeners.open(addresses)
  await listeners.follow(null)
  await opening
  expect(await askAll()).toEqual(['refused', 'refused'])
})

it('a pause that ends while addresses are being bound leaves all of them bound', async () => {
  const opening = listeners.open(addresses)
  await listeners.follow(null)
  await Promise.all([opening, listeners.follow(addresses)])
  expect(await askAll()).toEqual(['served', 'served'])
  expect(logged).toEqual([])
})

it('an address that somebody else has is an error, and none stays bound', async () => {
  const somebody = new Listeners((socket) => socket.end('somebody'), pino({ level: 'silent' }))
  await somebody.open([addresses[1] as ListenAddress])
  await expect(listeners.open(addresses)).rejects.toThrow('EADDRINUSE')
  expect(await askAll()).toEqual(['refused', 'somebody'])
  somebody.close()
})
