import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ClusterState, readState, writeState } from '../../../../src/sandbox/cluster/state.js'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-state-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function someState(): ClusterState {
  return {
    format: 1,
    dir,
    engine: 'mysql',
    semiSync: false,
    serverOptions: ['--max-connections=10'],
    binaries: {
      engine: 'mysql',
      version: '9.7.4',
      origin: 'a test',
      launch: { kind: 'process', command: ['/bin/false'], options: [] },
    },
    servers: [
      {
        name: 'primary',
        role: 'primary',
        serverId: 1,
        port: 20_001,
        socket: join(dir, 'primary.sock'),
        process: { pid: 4, startTime: '77' },
      },
    ],
    isComplete: true,
  }
}

describe('the state file', () => {
  it('gives back what was written, and leaves no other file', () => {
    writeState(someState())
    expect(readState(dir)).toEqual(someState())
    expect(readdirSync(dir)).toEqual(['sandbox.json'])
  })

  it('is absent where there is no sandbox', () => {
    expect(readState(dir)).toBeUndefined()
    expect(readState(join(dir, 'nowhere'))).toBeUndefined()
  })

  it.each([
    ['is cut short', '{"format": 1,'],
    ['has another format', '{"format": 2}'],
    ['describes another folder', '{"format": 1, "dir": "/elsewhere", "servers": []}'],
  ])('is refused when it %s', (_, text) => {
    writeFileSync(join(dir, 'sandbox.json'), text)
    expect(() => readState(dir)).toThrow(/damaged or was written by another version/)
  })
})
