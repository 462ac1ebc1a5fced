import type { Connection, ResultSetHeader, RowDataPacket } from 'mysql2/promise'
import type { Random } from '../fuzz/random.js'
import type { Level, Read, Recorder, Write } from './history.js'

/** The statements on registers, as text or prepared, each timed. */

export interface Registers {
  readonly connection: Connection
  readonly recorder: Recorder
  readonly random: Random
  /** With its schema. */
  readonly table: string
  /** Whether statements name their causal key. */
  readonly tellsTokens: boolean
  readonly session: number
  /** When it was about to begin; see `Read.sees`. */
  readonly began: number
}

/** A write without its end, which in a transaction is the COMMIT's. */
export type BegunWrite = Omit<Write, 'end' | 'acknowledged'>

/** The hint in front of a statement under a causal key. */
export function causal({ tellsTokens }: Registers, token: string | null): string {
  return token === null || !tellsTokens ? '' : `/* sluice: causal=${token} */ `
}

/** @param ownVersion of a register that nobody else writes; null: one more than it has */
export async function update(
  registers: Registers,
  register: number,
  ownVersion: number | null,
  token: string | null,
): Promise<BegunWrite> {
  const { connection, recorder, random, table, session } = registers
  const value = ownVersion === null ? 'LAST_INSERT_ID(v + 1)' : `GREATEST(v, ${ownVersion})`
  const sql = `${causal(registers, token)}UPDATE ${table} SET v = ${value}, at = @@port WHERE id = `
  const begin = recorder.now()
  const [header] = random.once(3)
    ? await connection.execute<ResultSetHeader>(`${sql}?`, [register])
    : await connection.query<ResultSetHeader>(`${sql}${register}`)
  return { kind: 'write', session, token, begin, register, version: ownVersion ?? header.insertId }
}

export interface ReadOptions {
  readonly token?: string | null
  readonly level?: Level
  /** When the transaction's snapshot was made. */
  readonly begin?: number
  /** Registers that the transaction has written. */
  readonly without?: ReadonlySet<number>
}

export async function readRegisters(
  registers: Registers,
  ids: readonly number[],
  { token = null, level = 'session', begin = registers.recorder.now(), without = new Set() }: ReadOptions = {},
): Promise<Read> {
  const { connection, recorder, random, table, session, began } = registers
  const comment = level === 'session' ? causal(registers, token) : `/* sluice: consistency=${level} */ `
  const sql = `${comment}SELECT @@port AS port, id, v, at FROM ${table} WHERE id IN (`
  const [rows] = random.once(3)
    ? await connection.execute<RowDataPacket[]>(`${sql}${ids.map(() => '?').join(', ')})`, [...ids])
    : await connection.query<RowDataPacket[]>(`${sql}${ids.join(', ')})`)
  const end = recorder.now()
  const found = new Map(rows.map((row) => [Number(row['id']), [Number(row['v']), Number(row['at'])] as const]))
  const values = ids.filter((id) => !without.has(id)).map((id) => [id, ...(found.get(id) ?? [-1, 0])] as const)
  const sees = level === 'global' ? begin : began
  return { kind: 'read', session, token, begin, end, level, sees, values, server: Number(rows[0]?.['port'] ?? 0) }
}
