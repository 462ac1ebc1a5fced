import { UsageError } from '../../../shared/errors.js'
import type { Operations } from '../../view.js'
import { noSession, notDone, notSupported, syntaxError, tlsNotReloaded } from '../errors.js'
import type { Match } from '../pattern.js'
import { type AdminResult, type CommandContext, OK, whoIs } from '../session.js'
import { type AdminCommand, adminOnly } from './command.js'

/** A command about the proxy as a whole; that it was given is an event. */
function operation(source: string, run: (operations: Operations, context: CommandContext) => Promise<void> | void) {
  return adminOnly(`{PROXYSQL|SLUICE} ${source}`, async (context) => {
    const { view, session } = context
    try {
      await run(view.operations, context)
    } catch (error) {
      if (error instanceof UsageError) throw notDone(error.message)
      throw error
    }
    view.note({ kind: 'admin', what: `PROXYSQL ${source}`, why: 'asked for', who: whoIs(session) })
    return OK
  })
}

/** Reads the files of `tls` again, as SIGHUP does with all of the configuration. */
async function reloadTls({ view }: CommandContext): Promise<AdminResult> {
  try {
    await view.reloadTls()
    return OK
  } catch (error) {
    if (error instanceof UsageError) throw tlsNotReloaded(error.message)
    throw error
  }
}

/** The client is to have its answer before the port closes. */
const soon = (work: () => void): void => void setImmediate(work)

async function kill({ view }: CommandContext, { taken }: Match, statementOnly: boolean): Promise<AdminResult> {
  const text = taken.get('id')?.text ?? ''
  const id = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (id === 0)
    throw syntaxError(`expected KILL [CONNECTION|QUERY] and the number of a session (SHOW PROCESSLIST), got ${text}`)
  if (!(await view.operations.killSession(id, statementOnly))) throw noSession(id)
  return OK
}

const EXPECTED_OPERATION =
  'expected PAUSE, RESUME, START, STOP, RESTART, SHUTDOWN [SLOW], KILL, READONLY, READWRITE, RELOAD TLS, FLUSH LOGS, ' +
  'FLUSH QUERY CACHE or FLUSH MYSQL CLIENT HOSTS after PROXYSQL'

/** Commands to the running proxy, with ProxySQL's names; SLUICE may stand in the place of PROXYSQL. */
export const PROXY_COMMANDS: readonly AdminCommand[] = [
  operation('PAUSE', (operations) => operations.pause()),
  operation('RESUME', (operations) => operations.resume()),
  operation('START', (operations) => operations.resume()),
  operation('STOP', (operations) => operations.stopServing()),
  operation('RESTART', (operations) => operations.restartWorkers()),
  operation('SHUTDOWN', (operations, { session }) => soon(() => operations.shutdown('drain', whoIs(session)))),
  operation('SHUTDOWN SLOW', (operations, { session }) => soon(() => operations.shutdown('slow', whoIs(session)))),
  operation('KILL', (operations, { session }) => soon(() => operations.shutdown('kill', whoIs(session)))),
  operation('READONLY', async (_operations, { view }) => void (await view.store.setReadOnly(true))),
  operation('READWRITE', async (_operations, { view }) => void (await view.store.setReadOnly(false))),
  operation('FLUSH QUERY CACHE', (_operations, { view }) => view.flushQueryCache()),
  operation('FLUSH LOGS', (_operations, { guard }) => guard.reopenLog()),
  operation('FLUSH MYSQL CLIENT HOSTS', (operations) => operations.forgetFailedLogins()),
  adminOnly('{PROXYSQL|SLUICE} RELOAD TLS', reloadTls),
  adminOnly('{PROXYSQL|SLUICE} ...', () => {
    throw notSupported(EXPECTED_OPERATION)
  }),
  adminOnly('KILL QUERY <id>', (context, match) => kill(context, match, true)),
  adminOnly('KILL [CONNECTION] <id>', (context, match) => kill(context, match, false)),
  adminOnly('KILL ...', () => {
    throw syntaxError('expected KILL [CONNECTION|QUERY] and the number of a session (SHOW PROCESSLIST)')
  }),
]
