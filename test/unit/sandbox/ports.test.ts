import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { freePorts, isFree, portRange } from '../../../src/sandbox/ports.js'

describe('the ports to choose from', () => {
  it('are not those the kernel takes for outgoing connections', () => {
    expect(portRange({ first: 32_768, last: 60_999 })).toEqual({ first: 20_000, last: 32_767 })
    expect(portRange({ first: 15_000, last: 40_000 })).toEqual({ first: 40_001, last: 65_535 })
  })

  it('are all the high ones when the kernel may take nearly all of them', () => {
    expect(portRange({ first: 1_024, last: 65_535 })).toEqual({ first: 20_000, last: 65_535 })
  })
})

describe('free ports', () => {
  it('are all different and nobody listens on them', async () => {
    const ports = await freePorts(20)
    expect(new Set(ports).size).toBe(20)
    expect(await Promise.all(ports.map(isFree))).toEqual(ports.map(() => true))
  })

  it('are never one that is taken', async () => {
    const server = createServer()
    onTestFinished(() => void server.close())
    const taken = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    })
    expect(await isFree(taken)).toBe(false)
    const onlyTaken = { first: taken, last: taken }
    await expect(freePorts(1, onlyTaken)).rejects.toThrow('found no 1 free ports')
  })
})
