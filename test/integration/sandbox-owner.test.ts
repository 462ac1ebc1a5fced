import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cacheFolder, type Engine } from '../../src/sandbox/index.js'
import { processesWithArgument } from '../../src/sandbox/proc.js'

const FIXTURE = fileURLToPath(new URL('fixtures/sandbox-owner.ts', import.meta.url))
const LOADER = `import { runnerImport } from 'vite'; await runnerImport(process.env.FIXTURE)`

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-owner-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Starts a process that owns a cluster somewhere in `folder`. */
function startOwner(engine: Engine, when = 'up'): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '-e', LOADER], {
    env: { ...process.env, FIXTURE, ENGINE: engine, WHEN: when, TMPDIR: folder, SLUICE_CACHE_DIR: cacheFolder() },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
}

const nextMessage = (owner: ChildProcess) => new Promise<unknown>((resolve) => owner.once('message', resolve))
const running = () => processesWithArgument(`--datadir=${folder}/`).length
const clusterFolders = () =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('sluice-sandbox')) : []

describe('the process that owns a cluster', { timeout: 120_000 }, () => {
  it.each(['mysql', 'mariadb'] as const)('takes the servers of %s with it when it is killed', async (engine) => {
    const owner = startOwner(engine)
    expect(await nextMessage(owner)).toBe('up')
    expect(running()).toBe(2)
    owner.kill('SIGKILL')
    await expect.poll(running, { timeout: 30_000 }).toBe(0)
    await expect.poll(clusterFolders, { timeout: 30_000 }).toEqual([])
  })

  it.each(['initialise', 'start', 'replication'])('leaves nothing when it is killed in the step %s', async (step) => {
    const owner = startOwner('mariadb', step)
    expect(await nextMessage(owner)).toBe('reached')
    owner.kill('SIGKILL')
    await expect.poll(() => running() + clusterFolders().length, { timeout: 30_000 }).toBe(0)
  })

  it.each(['initialise', 'start'])('cleans up by itself when it is told to stop in the step %s', async (step) => {
    const owner = startOwner('mariadb', step)
    expect(await nextMessage(owner)).toBe('reached')
    const last = nextMessage(owner)
    owner.kill('SIGTERM')
    expect(await last).toBe('failed: told to stop')
    expect(running() + clusterFolders().length).toBe(0)
  })
})
