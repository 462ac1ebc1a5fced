import type { CommandModule } from 'yargs'
import { UsageError } from '../../shared/errors.js'
import { endpointOptions } from '../endpoint-flags.js'
import type { AdminOptions } from './run.js'

export const adminCommand: CommandModule<object, AdminOptions> = {
  command: 'admin',
  describe: 'Talk to the admin port: a prompt, or the statements of -e or of standard input',
  builder: (yargs) =>
    endpointOptions(yargs)
      .option('execute', { alias: 'e', type: 'string', requiresArg: true, describe: 'Statements, separated by ;' })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'One JSON text per statement, an array of objects for rows',
      })
      .option('vertical', { type: 'boolean', default: false, describe: 'One line per column' })
      .option('table', { alias: 't', type: 'boolean', default: false, describe: 'Tables, also where nobody looks on' })
      .check(({ json, vertical, table }) => {
        if (Number(json) + Number(vertical) + Number(table) > 1)
          throw new UsageError('expected at most one of --json, --vertical and --table')
        return true
      }),
  handler: async (options) => {
    const { runAdmin } = await import('./run.js')
    process.exitCode = await runAdmin(options)
  },
}
