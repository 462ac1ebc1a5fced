import type { CommandModule } from 'yargs'
import type { Engine } from '../sandbox/index.js'
import { UsageError } from '../shared/errors.js'
import { runDemo } from './run.js'

interface DemoArguments {
  for?: string | undefined
  workload: boolean
  engine: string
  replicas: number
  json: boolean
  mysqld?: string | undefined
}

export const demoCommand: CommandModule<object, DemoArguments> = {
  command: 'demo',
  describe: 'Start a replicated cluster with Sluice in front of it, and show what goes where',
  builder: (yargs) =>
    yargs
      .option('for', { type: 'string', requiresArg: true, describe: 'End by itself after a time such as 30s or 5m' })
      .option('workload', {
        type: 'boolean',
        default: true,
        describe: 'Run a small mixed workload (--no-workload: none)',
      })
      .option('engine', { choices: ['mysql', 'mariadb'], default: 'mysql', describe: 'Kind of server' })
      .option('replicas', { type: 'number', default: 2, requiresArg: true, describe: 'Number of replicas, 1 to 8' })
      .option('mysqld', { type: 'string', requiresArg: true, describe: 'Path of the server to run' })
      .option('json', { type: 'boolean', default: false, describe: 'Print one JSON object per line' })
      .check(({ replicas, for: duration }) => {
        if (!Number.isInteger(replicas) || replicas < 1 || replicas > 8)
          throw new Error('--replicas must be a number from 1 to 8')
        if (duration !== undefined) durationMs(duration)
        return true
      }),
  handler: async ({ for: duration, workload, engine, replicas, json, mysqld }) => {
    process.exitCode = await runDemo({
      durationMs: duration === undefined ? null : durationMs(duration),
      workload,
      engine: engine as Engine,
      replicas,
      json,
      mysqld,
    })
  },
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** `30s`, `5m`, `1h`, `500ms`; a bare number is seconds. */
function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text)
  if (match === null || Number(match[1]) === 0)
    throw new UsageError(`--for: expected a time such as 30s or 5m, got "${text}"`)
  return Number(match[1]) * UNITS[match[2] ?? 's']
}
