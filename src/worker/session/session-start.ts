import { backendLogin } from '../backend/backend-login.js'
import type { ClientAddress } from '../client/client-address.js'
import type { ClientSocket } from '../client/client-socket.js'
import type { WorkerContext } from '../context.js'
import { Execution, type ExecutionListener } from '../execution/execution.js'
import type { Authenticated } from '../login/authentication.js'
import { originOf, SessionRules } from '../rules/session-rules.js'
import { SessionState } from '../state/session-state.js'
import { StatementCount } from '../statistics/statement-count.js'
import { initialStatus, SessionFacts } from './session-facts.js'
import { SessionText } from './session-text.js'

/** What is agreed on with a client for as long as it is connected, whoever it logs in as. */
export interface ClientTerms {
  readonly place: ClientAddress
  /** Negotiated with the client: CLIENT_* flags, and MariaDB's own. */
  readonly capabilities: number
  readonly mariadbCapabilities: number
  /** The challenge of its login, as latin1: short texts take less memory than buffers. */
  readonly scramble: string
}

/** What a session begins with as the user that has logged in: its state and facts, and how its commands are executed. */
export function beginAs(
  { login, user, credentials, relayed }: Authenticated,
  { place, capabilities, mariadbCapabilities }: ClientTerms,
  client: ClientSocket,
  context: WorkerContext,
  listener: ExecutionListener,
): Execution {
  const { response } = login
  const state = new SessionState(response.database ?? user.defaultSchema ?? '', response.collation)
  const toServers = backendLogin(credentials, user.name, {
    capabilities,
    mariadbCapabilities,
    database: state.schema,
    collation: state.collation,
    attributes: response.attributes,
    client: place.endpoints,
  })
  const facts = new SessionFacts(user, initialStatus(context.view.snapshot.greeting))
  const text = new SessionText(context, state, capabilities, mariadbCapabilities)
  const count = new StatementCount(context, user.name, place.host)
  const rules = new SessionRules(context, state, originOf(user.name, place))
  const execution = new Execution(context, client, capabilities, toServers, facts, state, text, count, rules, listener)
  if (relayed !== null) execution.adopt(relayed)
  return execution
}
