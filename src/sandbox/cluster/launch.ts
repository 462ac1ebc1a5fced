import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { runContainer, startContainer } from '../binaries/docker.js'
import { SandboxError } from '../errors.js'
import { type ProcessRef, processRef } from '../proc.js'
import { run } from '../run.js'
import type { Launch } from '../types.js'
import { userArguments } from './options.js'

/**
 * Starts a server that does not depend on this process: it is in a session of its own, and what it prints goes to its log.
 * @throws SandboxError when it cannot be started or ends at once
 */
export async function launchServer(
  launch: Launch,
  dir: string,
  errorLog: string,
  args: readonly string[],
): Promise<ProcessRef> {
  const command = serverCommand(launch, args)
  const pid =
    launch.kind === 'process' ? await spawnDetached(command, errorLog) : await startContainer(launch, command, { dir })
  const ref = processRef(pid)
  if (ref === undefined) throw new SandboxError(`the server ended at once: ${logTail(errorLog)}`)
  return ref
}

/** The server program with its options, as it is called on this machine or inside its container. */
export function serverCommand(launch: Launch, args: readonly string[]): string[] {
  const [program, own] = launch.kind === 'process' ? [launch.command, launch.options] : [[launch.program], []]
  return [...program, '--no-defaults', ...own, ...userArguments(), ...args]
}

/** Runs a command to its end, on this machine or inside a container, whichever the server needs. */
export async function runBeside(
  launch: Launch,
  dir: string,
  command: readonly string[],
  options: { input?: string; signal?: AbortSignal | undefined },
): Promise<{ code: number | null; output: string }> {
  return launch.kind === 'process' ? run(command, options) : runContainer(launch, command, { dir })
}

async function spawnDetached(command: readonly string[], errorLog: string): Promise<number> {
  const [program = '', ...args] = command
  const log = openSync(errorLog, 'a')
  try {
    const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log], cwd: '/' })
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
    return child.pid!
  } finally {
    closeSync(log)
  }
}

/** The end of a server's log, for an error message: its errors if it names any. */
export function logTail(errorLog: string): string {
  let lines: string[]
  try {
    lines = readFileSync(errorLog, 'utf8').trim().split('\n')
  } catch {
    return 'it wrote no log'
  }
  const errors = lines.filter((line) => line.includes('[ERROR]'))
  return (errors.length > 0 ? errors.slice(0, 3) : lines.slice(-3)).join(' | ')
}
