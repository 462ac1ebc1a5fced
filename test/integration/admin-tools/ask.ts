import { expect } from 'vitest'

export type Cell = string | null
export type Value = string | number | null

/** What a client makes of the admin port's answer, in the same words whatever the client is. */
export interface Answer {
  /** Absent: the client does not tell (a command line prints no names above an empty result). */
  readonly columns?: readonly string[]
  /** Names of the types that differ from VAR_STRING. */
  readonly otherTypes?: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  /** Absent: the client does not tell. */
  readonly affected?: number
  readonly insertId?: number
  /** Number of the error; 0: none. */
  readonly error: number
  readonly message: string
}

export interface AdminClient {
  readonly name: string
  /** Placeholders are `?`. Never rejects because of what the port answers. */
  run(sql: string, values: readonly Value[]): Promise<Answer>
  close(): Promise<void>
}

/** Of an {@link Answer}, what a tool relies on. Rows may hold vitest's asymmetric matchers. */
export interface Expected {
  readonly columns?: readonly string[]
  readonly rows?: unknown
  readonly affected?: number
  readonly error?: number
}

/** Sends a statement as a tool does, and checks what the tool relies on; without an `error` expected there is none. */
export type Ask = (sql: string, expected?: Expected, values?: readonly Value[]) => Promise<Answer>

export function asking(client: AdminClient): Ask {
  return async (sql, expected = {}, values = []) => {
    const answer = await client.run(sql, values)
    const told = Object.entries({ error: 0, ...expected }).filter(([key]) => key in answer)
    expect({ sql, otherTypes: [], ...answer }).toMatchObject({ sql, otherTypes: [], ...Object.fromEntries(told) })
    return answer
  }
}

/** The first row with the columns' names, as clients with dictionaries have it. */
export function record({ columns = [], rows }: Answer): Record<string, Cell> {
  return Object.fromEntries(columns.map((name, at) => [name, rows[0]?.[at] ?? null]))
}
