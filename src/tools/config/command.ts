import type { CommandModule } from 'yargs'

const CONFIG_OPTION = {
  type: 'string',
  requiresArg: true,
  default: 'sluice.yaml',
  describe: 'Configuration file',
} as const

/** `sluice config ...`: what is done with the configuration beside starting with it. */
export const configCommand: CommandModule = {
  command: 'config',
  describe: 'Look at the configuration: schema, validate',
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
      .demandCommand(1, 'config needs one of: schema, validate')
      .strict(),
  handler: () => {},
}
