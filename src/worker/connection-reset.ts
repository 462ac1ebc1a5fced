import { Capability, Command, encodeCommand, encodeQuery } from '../../protocol/index.js'
import type { Backend } from './backend.js'
import { switchTrackingOn } from './backend-connect.js'
import { namesOfLogin } from './parse-state.js'
import { dropStatements } from './server-statements.js'
import { SetupExchange } from './setup-exchange.js'

/*
 * What makes a connection another session's: COM_RESET_CONNECTION, which rolls back, drops temporary tables, releases locks
 * and sets variables to their global values (MySQL manual, "mysql_reset_connection()"). The schema stays.
 */

/** Whether a reset gives a connection what a login would have given it. */
export function canReset({ capabilities, target }: Backend): boolean {
  // MariaDB forgets CLIENT_IGNORE_SPACE with a reset, and nothing sets it again.
  return target.flavor !== 'mariadb' || (capabilities & Capability.IGNORE_SPACE) === 0
}

/**
 * Resets a connection. Does not wait for the answers: they come before those of the commands that follow. A connection
 * whose server refuses is ended, and its command with it.
 */
export function resetConnection(backend: Backend): void {
  const { capabilities, collation, target } = backend
  dropStatements(backend)
  backend.applied.reset()
  ask(backend, encodeCommand(Command.RESET_CONNECTION))
  // MySQL goes back to its own character set, MariaDB to that of the login.
  const names = target.flavor === 'mysql' ? namesOfLogin(collation) : null
  if (names !== null) ask(backend, encodeQuery(`SET NAMES ${names}`, capabilities))
  switchTrackingOn(backend)
}

/**
 * Resets a connection that no session has any more.
 * @param done called once it may be used again
 * @returns false when it cannot be reset
 */
export function resetForOthers(backend: Backend, done: () => void): boolean {
  if (!canReset(backend)) return false
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
  return true
}

function ask(backend: Backend, packet: Buffer): void {
  const answered = ({ error }: SetupExchange): void => {
    if (error !== null) backend.destroy(`the connection could not be reset: ${error.message}`)
  }
  backend.begin(new SetupExchange(answered, () => {}))
  backend.writeSoon(packet)
}
