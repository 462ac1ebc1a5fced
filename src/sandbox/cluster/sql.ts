import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, createConnection } from 'mysql2/promise'
import { ACCOUNTS } from './accounts.js'

const CONNECT_TIMEOUT_MS = 10_000

/** Runs `work` on a connection of root's over the server's socket, and closes it. */
export async function asRoot<T>(socket: string, work: (connection: Connection) => Promise<T>): Promise<T> {
  const { user, password } = ACCOUNTS.root
  const connection = await createConnection({
    socketPath: socket,
    user,
    password,
    connectTimeout: CONNECT_TIMEOUT_MS,
    supportBigNumbers: true,
    bigNumberStrings: false,
  })
  connection.on('error', () => {}) // the statement under way rejects; an idle connection that breaks is of no interest
  try {
    return await work(connection)
  } finally {
    connection.destroy()
  }
}

/** Runs statements one after the other on one connection. */
export async function runStatements(socket: string, statements: readonly string[]): Promise<void> {
  await asRoot(socket, async (connection) => {
    for (const statement of statements) await connection.query(statement)
  })
}

/** The first row of a statement, or undefined. */
export async function firstRow(
  socket: string,
  sql: string,
  params: readonly unknown[] = [],
): Promise<Record<string, unknown> | undefined> {
  return asRoot(socket, async (connection) => {
    const [rows] = await connection.query(sql, [...params])
    return (rows as Record<string, unknown>[])[0]
  })
}

/** Calls `isDone` until it says true. Returns false when `timeoutMs` have passed before. */
export async function eventually(
  isDone: () => Promise<boolean> | boolean,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
    signal?.throwIfAborted()
    if (await isDone()) return true
    if (performance.now() >= deadline) return false
    await sleep(pauseMs, undefined, { signal })
  }
}
