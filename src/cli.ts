import yargs from 'yargs'
import { demoCommand } from './demo/command.js'
import { explainCommand } from './explain.js'
import { sandboxCommand } from './sandbox/command.js'
import { UsageError } from './shared/errors.js'
import { createLogger } from './shared/log.js'
import { SLUICE_VERSION } from './shared/version.js'
import { adminCommand } from './tools/admin/command.js'
import { configCommand } from './tools/config/command.js'
import { topCommand } from './tools/top/command.js'

const EXIT_FAILURE = 1
/** Bad input: configuration, flags, an address in use. */
const EXIT_USAGE = 2

const CONFIG_OPTION = {
  type: 'string',
  requiresArg: true,
  default: 'sluice.yaml',
  describe: 'Configuration file',
} as const

/** Runs one command of the command line; sets the exit status. */
export async function runCli(args: readonly string[]): Promise<void> {
  await yargs([...args])
    .scriptName('sluice')
    .usage('$0 <command>\n\nA read/write-splitting proxy for MySQL and MariaDB.')
    .command(
      'start',
      'Run the proxy',
      (command) => command.option('config', CONFIG_OPTION),
      ({ config }) => exitWith(start(config)),
    )
    .command(
      'check',
      'Check the configuration, then the servers it names',
      (command) =>
        command
          .option('config', CONFIG_OPTION)
          .option('json', { type: 'boolean', default: false, describe: 'Print one JSON object' }),
      ({ config, json }) => exitWith(check(config, json)),
    )
    .command(adminCommand)
    .command(topCommand)
    .command(configCommand)
    .command(explainCommand)
    .command(sandboxCommand)
    .command(demoCommand)
    .demandCommand(1, 'sluice needs a command: start, check, config, admin, top, explain, sandbox or demo')
    .strict()
    .version(SLUICE_VERSION)
    .alias({ h: 'help', V: 'version' })
    .fail((message, error) => {
      if (error !== undefined && !(error.name === 'YError')) return report(error)
      process.stderr.write(`sluice: ${message} (see sluice --help)\n`)
      process.exit(EXIT_USAGE)
    })
    .parseAsync()
}

// What a command does not need is not loaded: the control plane comes with an SQL engine.

async function start(configPath: string): Promise<number> {
  const { runControlPlane } = await import('./control/control.js')
  return await runControlPlane({ configPath, log: createLogger('control') })
}

async function check(configPath: string, json: boolean): Promise<number> {
  const { runCheck } = await import('./control/check/check.js')
  return await runCheck({ configPath, json })
}

async function exitWith(status: Promise<number>): Promise<void> {
  try {
    process.exit(await status)
  } catch (error) {
    report(error)
  }
}

/** One line for the operator; the stack only for what is our own mistake. */
function report(error: unknown): never {
  const known = error instanceof UsageError
  const text = known ? error.message : ((error as Error).stack ?? String(error))
  process.stderr.write(`sluice: ${text}\n`)
  process.exit(known ? EXIT_USAGE : EXIT_FAILURE)
}
