import { resolve } from 'node:path'
import { configText } from '../../control/config-store/config-text.js'
import { writeWhole } from '../../control/config-store/disk-file.js'
import { ConfigStore } from '../../control/config-store/store.js'
import { UsageError } from '../../shared/errors.js'
import { AdminClient, ConnectError, StatementError } from '../admin-client.js'
import { readEndpoint } from '../admin-endpoint.js'
import type { EndpointFlags } from '../endpoint-flags.js'
import { diffLayers } from './diff.js'
import { importFile } from './import.js'
import { diskLayer, fileLayer, runningLayer } from './layers.js'

export interface ConfigFlags extends EndpointFlags {
  readonly config: string
}

const EXIT_FAILURE = 1

/** Prints in what a layer differs from the file. Resolves with the exit status, as diff's: 0 the same, 1 not, or not to be told. */
export async function runDiff(flags: ConfigFlags, against: 'disk' | 'memory' | 'runtime'): Promise<number> {
  const file = fileLayer(flags.config, process.env)
  return asking(flags, async (client) => {
    const layer = against === 'disk' ? diskLayer(flags.config, process.env) : await runningLayer(client(), against)
    const lines = diffLayers(file, layer)
    if (against === 'disk' && layer.size === 0) process.stdout.write('nothing has been saved to disk\n')
    else
      process.stdout.write(lines.length === 0 ? `${against} says what ${flags.config} says\n` : `${lines.join('\n')}\n`)
    return lines.length === 0 ? 0 : EXIT_FAILURE
  })
}

/**
 * Writes the configuration as a file: what the next start would take, of file and disk, with its passwords; or, of a Sluice
 * that runs, what its memory holds. Standard output gets the latter's without passwords.
 */
export async function runExport(flags: ConfigFlags, running: boolean, output: string | undefined): Promise<number> {
  if (!running) {
    const text = configText(new ConfigStore(flags.config, process.env), 'shown')
    if (output === undefined) process.stdout.write(text)
    else await write(output, text)
    return 0
  }
  return asking(flags, async (client) => {
    if (output !== undefined) {
      await client().query(`SAVE CONFIG TO FILE '${resolve(output).replaceAll("'", "''")}'`)
      return 0
    }
    const answer = await client().query('SELECT CONFIG FILE')
    process.stdout.write(answer.kind === 'rows' ? (answer.rows[0][0] ?? '') : '')
    return 0
  })
}

export async function runImport(flags: ConfigFlags, file: string): Promise<number> {
  return asking(flags, async (client) => {
    const sections = await importFile(file, process.env, client())
    const all = (verb: string, where: string): string =>
      sections.map((name) => `${verb} ${name} TO ${where};`).join(' ')
    const told = [
      `memory has of ${file}: ${sections.join(', ')}; nothing is in force yet. In sluice admin:`,
      `  to use it           ${all('LOAD', 'RUNTIME')}`,
      `  to keep it          ${all('SAVE', 'DISK')}`,
      `  to take it back     ${all('SAVE', 'MEMORY')}`,
    ]
    const nothing = `${file} says nothing of any section: memory is as it was`
    process.stdout.write(`${sections.length === 0 ? nothing : told.join('\n')}\n`)
    return 0
  })
}

/** `client` makes the connection's object; it connects with its first statement. */
async function asking(flags: ConfigFlags, work: (client: () => AdminClient) => Promise<number>): Promise<number> {
  let made: AdminClient | null = null
  try {
    return await work(() => {
      made ??= new AdminClient(readEndpoint(flags, process.env))
      return made
    })
  } catch (error) {
    if (!(error instanceof ConnectError || error instanceof StatementError)) throw error
    process.stderr.write(`sluice: ${error.message}\n`)
    return EXIT_FAILURE
  } finally {
    ;(made as AdminClient | null)?.close()
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeWhole(resolve(path), text)
  } catch (error) {
    throw new UsageError(`${path} cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
}
