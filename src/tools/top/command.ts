import type { CommandModule } from 'yargs'
import { endpointOptions } from '../endpoint-flags.js'
import type { TopOptions } from './run.js'

export const topCommand: CommandModule<object, TopOptions> = {
  command: 'top',
  describe: 'Show servers, statements and sessions as they are now',
  builder: (yargs) =>
    endpointOptions(yargs)
      .option('interval', {
        type: 'string',
        requiresArg: true,
        default: '1s',
        describe: 'Time between two readings, such as 500ms or 5s',
      })
      .option('once', { type: 'boolean', default: false, describe: 'Print one frame, of one interval, and end' }),
  handler: async (options) => {
    const { runTop } = await import('./run.js')
    process.exitCode = await runTop(options)
  },
}
