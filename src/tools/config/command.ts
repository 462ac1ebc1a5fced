import type { CommandModule } from 'yargs'
import { endpointOptions } from '../endpoint-flags.js'

const LAYERS = ['disk', 'memory', 'runtime'] as const

const CONFIG_OPTION = {
  type: 'string',
  requiresArg: true,
  default: 'sluice.yaml',
  describe: 'Configuration file',
} as const

/** `sluice config ...`: what is done with the configuration beside starting with it. */
export const configCommand: CommandModule = {
  command: 'config',
  describe: 'Look at the configuration: schema, validate, diff, export, import',
  builder: (yargs) =>
    yargs
      .command(
        'schema',
        'Print the JSON Schema of the file, for editors',
        () => {},
        async () => {
          const { configSchema } = await import('./schema.js')
          process.stdout.write(configSchema())
        },
      )
      .command(
        'validate',
        'Check the file, and files that it names, without asking a server',
        (command) => command.option('config', CONFIG_OPTION),
        async ({ config }) => {
          const { validate } = await import('./validate.js')
          process.stdout.write(validate(config, process.env))
        },
      )
      .command(
        'diff',
        'Say in what a layer differs from the file',
        (command) =>
          endpointOptions(command)
            .default('config', 'sluice.yaml')
            .option('against', {
              choices: LAYERS,
              default: 'disk' as const,
              describe: 'disk, or memory or runtime of a Sluice that runs',
            }),
        async ({ against, ...flags }) => {
          const { runDiff } = await import('./run.js')
          process.exitCode = await runDiff(flags, against)
        },
      )
      .command(
        'export',
        'Write the configuration as a file: what the next start would take, with its passwords',
        (command) =>
          endpointOptions(command)
            .default('config', 'sluice.yaml')
            .option('running', {
              type: 'boolean',
              default: false,
              describe: 'Of a Sluice that runs: what its memory holds',
            })
            .option('output', {
              type: 'string',
              requiresArg: true,
              describe: 'File, for its owner only; else standard output',
            }),
        async ({ running, output, ...flags }) => {
          const { runExport } = await import('./run.js')
          process.exitCode = await runExport(flags, running, output)
        },
      )
      .command(
        'import <file>',
        'Put a file into the memory of a Sluice that runs',
        (command) =>
          endpointOptions(command)
            .default('config', 'sluice.yaml')
            .positional('file', { type: 'string', demandOption: true, describe: 'A configuration file' }),
        async ({ file, ...flags }) => {
          const { runImport } = await import('./run.js')
          process.exitCode = await runImport(flags, file)
        },
      )
      .demandCommand(1, 'config needs one of: schema, validate, diff, export, import')
      .strict(),
  handler: () => {},
}
