import { Capability, Command, collationById, encodeCommand, encodeQuery } from '../../../protocol/index.js'
import type { Flavor } from '../../shared/snapshot.js'
import { namesOfLogin } from '../state/parse-state.js'
import type { Backend } from './backend.js'
import { switchTrackingOn } from './backend-connect.js'
import { dropStatements } from './drop-statements.js'
import { refusalText, sendInitConnect } from './init-connect.js'
import { SetupExchange } from './setup-exchange.js'

/*
 * What makes a connection another session's: COM_RESET_CONNECTION, which rolls back, drops temporary tables, releases locks
 * and sets variables to their global values (MySQL manual, "mysql_reset_connection()"). The schema stays.
 */

/**
 * Resets a connection. Does not wait for the answers: they come before those of the commands that follow. A connection
 * whose server refuses is ended, and its command with it.
 */
export function resetConnection(backend: Backend): void {
  dropStatements(backend)
  const optionSet = backend.applied.multiStatements !== null
  backend.applied.reset()
  ask(backend, encodeCommand(Command.RESET_CONNECTION))
  if (optionSet) ask(backend, encodeCommand(Command.SET_OPTION, optionOfLogin(backend)))
  LOGIN_AGAIN[backend.target.flavor](backend)
  afterReset(backend)
}

/**
 * Sends what a connection has to be told after any reset, the client's own too. A reset sets character_set_database, by which
 * SET CHARACTER SET and LOAD DATA go, to the server's own, though the schema stays (`THD::init` of both servers).
 */
export function afterReset(backend: Backend): void {
  backend.globalsSeen = backend.target.known.globalsSet
  backend.leftDiagnostics = false
  switchTrackingOn(backend)
  const { schema } = backend.applied
  // A schema that was dropped meanwhile is refused: another one will be asked for, or its absence is told to who uses it.
  if (schema !== '') attempt(backend, encodeCommand(Command.INIT_DB, Buffer.from(schema)))
  sendInitConnect(backend, (refusal) => backend.destroy(refusalText(backend, refusal)))
}

/** A reset leaves alone what COM_SET_OPTION has set. */
function optionOfLogin({ capabilities }: Backend): Buffer {
  return Buffer.of((capabilities & Capability.MULTI_STATEMENTS) === 0 ? 1 : 0, 0)
}

/** What a login sets, and a reset does not set again. Not tracked, so that it is nothing that a session has set. */
const LOGIN_AGAIN: Readonly<Record<Flavor, (backend: Backend) => void>> = {
  // MySQL goes back to its own character set, MariaDB to that of the login.
  mysql: (backend) => {
    const names = namesOfLogin(backend.collation)
    if (names !== null) ask(backend, encodeQuery(`SET NAMES ${names}`, backend.capabilities))
  },
  mariadb: (backend) => {
    const { capabilities, collation, ignoresSpace } = backend
    // To MariaDB CLIENT_IGNORE_SPACE is a part of sql_mode.
    if (ignoresSpace) {
      ask(backend, encodeQuery("SET sql_mode = CONCAT(@@sql_mode, ',IGNORE_SPACE')", capabilities))
    }
    if (OF_MYSQL_ALONE.test(collationById(collation)?.name ?? '')) asForUnknownCollation(backend)
  },
}

/** Collations that older MariaDB servers do not know. */
const OF_MYSQL_ALONE = /_0900_|^gb18030_/

/**
 * A login with MySQL's collations (utf8mb4_0900_ai_ci) gets a MariaDB server's own character set, unless it is new enough to
 * know them (11.4.5). A reset gives it that of whoever had the thread before (10.11: `THD::org_charset` is left from it).
 */
function asForUnknownCollation(backend: Backend): void {
  const { capabilities, collation } = backend
  const defaults = ['character_set_client', 'character_set_results', 'collation_connection']
  ask(backend, encodeQuery(`SET ${defaults.map((name) => `${name} = DEFAULT`).join(', ')}`, capabilities))
  const names = namesOfLogin(collation)
  if (names !== null) attempt(backend, encodeQuery(`SET NAMES ${names}`, capabilities))
}

/**
 * Resets a connection that no session has any more.
 * @param done called once it may be used again
 */
export function resetForOthers(backend: Backend, done: () => void): void {
  backend.move('syncing')
  resetConnection(backend)
  // Answers come in order: this one is the last.
  backend.begin(
    new SetupExchange(
      () => {
        backend.move('idle')
        done()
      },
      () => {},
    ),
  )
  backend.writeSoon(encodeCommand(Command.PING))
}

function ask(backend: Backend, packet: Buffer): void {
  const answered = ({ error }: SetupExchange): void => {
    if (error !== null) backend.destroy(`the connection could not be reset: ${error.message}`)
  }
  backend.begin(new SetupExchange(answered, () => {}))
  backend.writeSoon(packet)
}

/** What a server may refuse. */
function attempt(backend: Backend, packet: Buffer): void {
  const ignored = (): void => {}
  backend.begin(new SetupExchange(ignored, ignored))
  backend.writeSoon(packet)
}
