import { Answer, type ErrPacket, encodeQuery, ServerStatus } from '../../../protocol/index.js'
import { isCarried, variableLiteral } from '../state/session-state.js'
import type { Backend } from './backend.js'
import { SetupExchange } from './setup-exchange.js'

/** ER_MUST_CHANGE_PASSWORD: as by a server's own init_connect, nothing is executed until that is done. */
export const MUST_CHANGE_PASSWORD = 1820

/** A statement that a connection was to begin with, and what its server said. */
export interface InitRefusal extends ErrPacket {
  readonly statement: string
}

/**
 * Sends the statements with which connections to the target begin, after a login and after a reset. Does not wait for the
 * answers: they come before those of the commands that follow.
 * @param refused called with the first refusal: the connection is not to be used
 */
export function sendInitConnect(
  backend: Backend,
  refused: (refusal: InitRefusal) => void,
  lost: (reason: string) => void = () => {},
): void {
  const { initConnect } = backend.target
  backend.initConnect = initConnect
  let over = false
  for (const statement of initConnect) {
    const answered = (exchange: SetupExchange): void => {
      if (over) return
      const err = refusalOf(exchange, backend)
      if (err === null) return learnInitial(exchange, backend)
      over = true
      if (err.errno !== MUST_CHANGE_PASSWORD) refused({ ...err, statement })
    }
    backend.begin(new SetupExchange(answered, lost), Answer.results)
    backend.writeSoon(encodeQuery(statement, backend.capabilities))
  }
}

function refusalOf({ error }: SetupExchange, { follower }: Backend): ErrPacket | null {
  if (error !== null) return error
  const isOpen = (follower.statusFlags & ServerStatus.IN_TRANS) !== 0
  return isOpen ? { errno: 1568, sqlState: '25001', message: 'it has left a transaction open' } : null
}

/** What the variables are set to is what sessions begin with there. */
function learnInitial({ oks }: SetupExchange, { applied }: Backend): void {
  for (const { sessionState } of oks) {
    for (const change of sessionState) {
      if (change.type !== 'system_variable' || !isCarried(change.name)) continue
      applied.initial.set(change.name, variableLiteral(change.name, change.value))
    }
  }
}

export function refusalText({ target }: Backend, { statement, message }: InitRefusal): string {
  return `${target.id} does not execute what its connections begin with (init_connect: ${statement}): ${message}`
}
