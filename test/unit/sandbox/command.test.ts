import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import yargs from 'yargs'
import { sandboxCommand } from '../../../src/sandbox/command.js'

let dir: string
let stdout: string
let stderr: string
let status: unknown

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-command-'))
  stdout = ''
  stderr = ''
  status = undefined
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    if (status === undefined) stderr += text // a real exit would have ended it
    return true
  })
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    status = code
    throw new Error('exit')
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
  rmSync(dir, { recursive: true, force: true })
})

async function sandbox(...args: string[]): Promise<void> {
  try {
    await yargs(['sandbox', ...args])
      .command(sandboxCommand)
      .parseAsync()
  } catch (error) {
    if ((error as Error).message !== 'exit') throw error
  }
  status ??= process.exitCode
}

describe('sluice sandbox', () => {
  it.each([
    [[], /one of: up, status, down/],
    [['sideways'], /one of: up, status, down|Unknown argument: sideways/],
    [['up', '--replicas', '9'], /--replicas must be a number from 0 to 8/],
    [['up', '--replicas', 'two'], /--replicas must be a number from 0 to 8/],
    [['up', '--engine', 'oracle'], /engine.*"oracle".*"mysql", "mariadb"/],
    [['status', '--verbosity'], /Unknown argument: verbosity/],
  ])('answers %j with one line and status 2', async (args, line) => {
    await sandbox(...args)
    expect(stderr).toMatch(line)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(status).toBe(2)
  })

  it('status tells a script that there is none', async () => {
    await sandbox('status', '--dir', dir, '--json')
    expect(JSON.parse(stdout)).toEqual({ dir, servers: [] })
    expect(status).toBe(1)
  })

  it('down is content when there is none', async () => {
    await sandbox('down', '--dir', dir)
    expect(stdout).toBe(`There is no sandbox in ${dir}.\n`)
    expect(status).toBeUndefined()
  })

  it('up leaves a folder alone that holds something else', async () => {
    writeFileSync(join(dir, 'thesis.tex'), '')
    await sandbox('up', '--dir', dir)
    expect(stderr).toBe(`sluice sandbox: the folder ${dir} is not empty\n`)
    expect(status).toBe(1)
  })
})
