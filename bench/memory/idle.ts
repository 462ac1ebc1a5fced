import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { SCHEMA } from '../data/tables.js'
import { type Credentials, LoadConnection } from '../load/connection.js'
import { residentBytesOf } from '../system/processes.js'
import type { Target } from '../targets/target.js'
import type { IdleRow } from './report.js'

/** Logins under way at the same time. */
const OPENING_AT_ONCE = 16
/** A forwarder has two sockets for each client, and every process has some files of its own. */
const FILES_PER_CONNECTION = 2
const SPARE_FILES = 200

/**
 * Opens connections that do nothing and sees what they cost. Memory is read when half of them and when all of them are
 * there, after `settleSeconds` of rest each: a garbage collector needs some time to give back what the logins took.
 * @throws Error when this process may not open enough files
 */
export async function idleConnections(
  target: Target,
  user: Credentials,
  connections: number,
  settleSeconds: number,
): Promise<IdleRow> {
  checkOpenFiles(connections)
  const credentials = { ...user, database: SCHEMA }
  const open: LoadConnection[] = []
  try {
    await openMore(open, 1, target, credentials)
    await pause(settleSeconds * 1000)
    const baseBytes = residentBytesOf(target.pids)
    const half = Math.floor(connections / 2)
    await openMore(open, half, target, credentials)
    await pause(settleSeconds * 1000)
    const halfBytes = residentBytesOf(target.pids)
    await openMore(open, connections, target, credentials)
    await pause(settleSeconds * 1000)
    const fullBytes = residentBytesOf(target.pids)
    return { target: target.name, connections, half, baseBytes, halfBytes, fullBytes }
  } finally {
    for (const connection of open) connection.quit()
  }
}

async function openMore(
  open: LoadConnection[],
  wanted: number,
  target: Target,
  credentials: Credentials,
): Promise<void> {
  let missing = wanted - open.length
  const openNext = async () => {
    while (missing > 0) {
      missing--
      open.push(await login(target, credentials))
    }
  }
  await Promise.all(Array.from({ length: OPENING_AT_ONCE }, openNext))
}

function login(target: Target, credentials: Credentials): Promise<LoadConnection> {
  return new Promise((resolve, reject) => {
    new LoadConnection(target, credentials, { onLost: reject, onAnswer: () => {} }, resolve)
  })
}

/** Node raises its soft limit to the hard one by itself, so only the hard one matters. */
function checkOpenFiles(connections: number): void {
  const limit = readFileSync('/proc/self/limits', 'utf8').match(/^Max open files\s+\S+\s+(\S+)/m)?.[1] ?? 'unlimited'
  const needed = FILES_PER_CONNECTION * connections + SPARE_FILES
  if (limit === 'unlimited' || Number(limit) >= needed) return
  throw new Error(
    `${connections} idle connections need ${needed} open files per process, the hard limit is ${limit}: ` +
      `raise it (ulimit -Hn ${needed}, as root) or ask for fewer with --connections`,
  )
}
