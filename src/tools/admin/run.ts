import { createInterface } from 'node:readline'
import { SLUICE_VERSION } from '../../shared/version.js'
import { AdminClient, ConnectError } from '../admin-client.js'
import { type AdminEndpoint, formatEndpoint, readEndpoint } from '../admin-endpoint.js'
import type { EndpointFlags } from '../endpoint-flags.js'
import type { OutputFormat } from './format.js'
import { historyPath, readHistory, writeHistory } from './history.js'
import { askPassword, Prompt } from './prompt.js'
import { runScript } from './script.js'

export interface AdminOptions extends EndpointFlags {
  readonly execute?: string | undefined
  readonly json: boolean
  readonly vertical: boolean
  readonly table: boolean
}

const EXIT_FAILURE = 1

/** Resolves with the exit status: 1 when a statement failed or the port cannot be reached. Rejects with a UsageError. */
export async function runAdmin(options: AdminOptions): Promise<number> {
  const endpoint = readEndpoint(options, process.env)
  const client = new AdminClient(endpoint)
  const { execute } = options
  // Whoever reads the output may stop to (`| head`).
  process.stdout.on('error', () => process.exit(EXIT_FAILURE))
  try {
    await connect(client, endpoint)
    if (execute === undefined && process.stdin.isTTY) {
      await converse(client, endpoint, options)
      return 0
    }
    const lines = execute === undefined ? createInterface({ input: process.stdin }) : execute.split('\n')
    return await runScript(client, lines, formatOf(options, process.stdout.isTTY), {
      out: (text) => process.stdout.write(text),
      error: complain,
    })
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error
    complain(error.message)
    return EXIT_FAILURE
  } finally {
    client.close()
  }
}

/** A person who has not named a password is asked for it when the default one is refused. */
async function connect(client: AdminClient, endpoint: AdminEndpoint): Promise<void> {
  try {
    await client.connect()
  } catch (error) {
    const mayAsk = process.stdin.isTTY && process.stderr.isTTY && !client.passwordIsKnown
    if (!(error instanceof ConnectError && error.denied && mayAsk)) throw error
    const password = await askPassword(`Password of ${formatEndpoint(endpoint)}: `, {
      input: process.stdin,
      output: process.stderr,
    })
    if (password === null) throw error
    client.usePassword(password)
    await client.connect()
  }
}

async function converse(client: AdminClient, endpoint: AdminEndpoint, options: AdminOptions): Promise<void> {
  process.stdout.write(
    `Sluice ${SLUICE_VERSION}, ${formatEndpoint(endpoint)}. Statements end with ; - help shows more.\n\n`,
  )
  const path = historyPath(process.env)
  const history = { lines: readHistory(path), save: (lines: readonly string[]) => writeHistory(path, lines) }
  const terminal = { input: process.stdin, output: process.stdout }
  await new Prompt(client, formatOf(options, true), terminal, history).run()
}

/** As mysql's: a table for people, tabs for scripts. */
function formatOf({ json, vertical, table }: AdminOptions, isTerminal: boolean): OutputFormat {
  if (json) return 'json'
  if (vertical) return 'vertical'
  return table || isTerminal ? 'table' : 'batch'
}

function complain(message: string): void {
  process.stderr.write(`sluice: ${message}\n`)
}
