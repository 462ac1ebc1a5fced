import { ColumnFlag, FieldType } from '../../protocol/index.js'
import type { Logger } from '../shared/log.js'
import { askServer } from './ask-server.js'
import type { Backend } from './backend.js'
import type { SessionState } from './session-state.js'

/**
 * User variables that a GET DIAGNOSTICS has set on a connection that is not the primary's. Their values have to come along
 * wherever the session's next statements run; they are asked for before the next statement that is none of diagnostics, since
 * any other ends what diagnostics there are to be read.
 */
export interface VariablesElsewhere {
  readonly backend: Backend
  /** In lower case, without the @. */
  readonly names: ReadonlySet<string>
}

/** Takes the variables' values into the session's state. Nothing is left of them when the connection is gone. */
export async function bringVariables(elsewhere: VariablesElsewhere, state: SessionState, log: Logger): Promise<void> {
  try {
    await bring(elsewhere, state)
  } catch (error) {
    const server = elsewhere.backend.target.id
    log.warn({ server, err: error }, 'what GET DIAGNOSTICS has set could not be brought over')
  }
}

async function bring({ backend, names }: VariablesElsewhere, state: SessionState): Promise<void> {
  if (backend.state !== 'idle') return
  const variables = [...names].map((name) => `@\`${name.replaceAll('`', '``')}\``)
  const wanted = variables.map((v) => `${v}, HEX(CONVERT(${v} USING utf8mb4)), CHARSET(${v}), COLLATION(${v})`)
  const { applied } = backend
  const current = applied.isCurrent(state)
  backend.move('syncing')
  const { columns, rows } = await askServer(backend, `SELECT ${wanted.join(', ')}`)
  backend.move('idle')
  for (const [i, name] of [...names].entries()) {
    const [value, hex, charset, collation] = rows[0].slice(4 * i, 4 * i + 4).map((cell) => cell?.toString('latin1'))
    const { type, flags } = columns[4 * i]
    const number = (flags & ColumnFlag.UNSIGNED) === 0 ? value : `CAST(${value} AS UNSIGNED)`
    const text = `CONVERT(_utf8mb4 x'${hex}' USING ${charset}) COLLATE ${collation}`
    const sql = value === undefined ? 'NULL' : type === FieldType.LONGLONG ? number! : text
    state.setUserVariable(name, sql)
    applied.userVariables.set(name, sql)
  }
  if (current) applied.noteCurrent(state)
}
