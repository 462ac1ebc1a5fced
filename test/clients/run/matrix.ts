import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, it } from 'vitest'
import { ENGINE_NAMES, type Engine } from '../../../src/sandbox/index.js'
import { CLIENTS } from './clients.js'
import { compare, formatDifference, type Run } from './compare.js'
import { runClient } from './run-client.js'
import { type AccountKind, LOGINS, makeSetting, type Setting } from './setting.js'

declare module 'vitest' {
  interface TaskMeta {
    /** For each account one line with counts, and the known differences with their reasons. */
    report?: string
  }
}

/** Differences printed for one client, engine and account. */
const SHOWN_MAX = 25
const CLIENT_TIMEOUT_MS = 900_000

export interface MatrixOptions {
  /** Default: all. */
  readonly clients?: readonly string[]
  /** Leaves out what takes long and one kind of account; and a client that cannot be had is skipped with the reason instead of failing. */
  readonly quick?: boolean
}

/** A test for every client: what its script prints through Sluice is what it prints directly, for each kind of account. */
export function describeMatrix(engine: Engine, { clients: names, quick = false }: MatrixOptions = {}) {
  const clients = CLIENTS.filter(({ name }) => names === undefined || names.includes(name))
  const accounts = quick ? (['passthrough'] as const) : wantedAccounts()
  describe(ENGINE_NAMES[engine], () => {
    let setting: Setting

    beforeAll(async () => {
      setting = await makeSetting(engine)
      return () =>
        keep(
          `sluice-${engine}.log`,
          setting.proxy
            .log()
            .map((line) => JSON.stringify(line))
            .join('\n'),
        )
    })

    for (const client of clients) {
      it(`${client.name} cannot tell Sluice from the server`, { timeout: CLIENT_TIMEOUT_MS }, async ({
        task,
        skip,
      }) => {
        const launch = await client.prepare().catch((error: Error) => {
          if (quick) skip(`${client.name} cannot be had: ${error.message}`)
          throw error
        })
        const database = `matrix_${client.name.replaceAll('-', '_')}`
        const run = async (target: 'direct' | 'through', kind: AccountKind) => {
          const output = await runClient(launch, setting, setting[target], LOGINS[kind], database, quick)
          keep(`${client.name}-${engine}-${target}-${kind}.txt`, output)
          return output
        }
        const direct = await run('direct', 'configured')
        const results: Result[] = []
        for (const account of accounts) {
          const through = await run('through', account)
          results.push(judge({ client: client.name, engine: ENGINE_NAMES[engine], account }, direct, through))
        }
        task.meta.report = results.map(({ report }) => report).join('\n')
        const failures = results.flatMap(({ failure }) => (failure === '' ? [] : [failure]))
        if (failures.length > 0) throw new Error(failures.join('\n'))
      })
    }
  })
}

/** A script whose cases are all caught ends with status 0; an end before that would leave nothing to compare. */
function scriptFailure(direct: string): string | undefined {
  const exit = direct.split('\n').findLast((line) => line.startsWith('exit: '))
  return exit === 'exit: 0' ? undefined : (exit ?? 'it printed nothing')
}

/** With CLIENT_OUTPUT set, all that scripts print is kept in that folder. */
function keep(name: string, output: string): void {
  const folder = process.env['CLIENT_OUTPUT']
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), output)
}

/** Both kinds, or those that CLIENT_ACCOUNTS names. */
function wantedAccounts(): readonly AccountKind[] {
  const kinds = Object.keys(LOGINS) as AccountKind[]
  const wanted = process.env['CLIENT_ACCOUNTS']?.split(',')
  return wanted === undefined ? kinds : kinds.filter((kind) => wanted.includes(kind))
}

interface Result {
  report: string
  failure: string
}

function judge(run: Run, direct: string, through: string): Result {
  const { equal, differences } = compare(run, direct, through)
  const known = differences.filter((difference) => difference.known !== undefined)
  const unknown = differences.filter((difference) => difference.known === undefined)
  const counts = `${equal} equal, ${known.length} known, ${unknown.length} different`
  const head = `${run.client} on ${run.engine}, ${run.account} account: ${counts}`
  const reasons = known.map((difference) => `  known ${difference.name}: ${difference.known?.reason}`)
  const broken = scriptFailure(direct)
  if (broken !== undefined) return { report: head, failure: `${head}\n  its script failed: ${broken}` }
  const shown = unknown.slice(0, SHOWN_MAX).map(formatDifference)
  const more = unknown.length > SHOWN_MAX ? [`  (${unknown.length - SHOWN_MAX} more)`] : []
  const failure = unknown.length === 0 ? '' : [head, ...shown, ...more].join('\n')
  return { report: [head, ...reasons].join('\n'), failure }
}
