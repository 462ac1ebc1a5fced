import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { ENGINE_NAMES, type Engine } from '../../../src/sandbox/index.js'
import { differencesOf, formatDifferences, isUnstable } from './compare.js'
import type { Fixture } from './fixture.js'
import { isKnown } from './known.js'
import { type Outcome, type Protocol, runMysqltest, SKIPPED, type Target } from './mysqltest.js'
import { fetchSuite, type SuitePrograms } from './programs.js'
import { selectFiles, type TestFile } from './select.js'
import { startTestServers } from './test-run.js'

const FILES = new RegExp(process.env['SUITE_FILES'] ?? '.')
const SUITES = (process.env['SUITES'] ?? 'main').split(',')
const PROTOCOL = (process.env['SUITE_PROTOCOL'] ?? 'text') as Protocol
const REPLICAS = Number(process.env['SUITE_REPLICAS'] ?? 1)
/** `mysqltest` makes its views on a connection of their own. */
const CONSISTENCY = process.env['SUITE_CONSISTENCY'] ?? (PROTOCOL === 'view' ? 'global' : 'session')
const OUTPUT = process.env['SUITE_OUTPUT']
const LIMIT_MS = Number(process.env['SUITE_SECONDS'] ?? 30) * 1000

/** A run through Sluice, on a busy machine, before it counts as one that hangs. */
const THROUGH_FACTOR = 4
const FILE_TIMEOUT_MS = LIMIT_MS * 8 + 120_000

declare module 'vitest' {
  interface TaskMeta {
    verdict?: Verdict
  }
}

export type Verdict =
  | 'equal'
  | 'equal, skips itself'
  | 'equal, fails directly'
  | 'not stable directly'
  | 'takes too long directly'
  | 'known'
  | 'different'

/** A test for every file: what it prints through Sluice is what it prints directly. */
export async function describeSuites(engine: Engine): Promise<void> {
  const programs = await fetchSuite(engine)
  const { files, leftOut } = selectFiles(programs, SUITES, FILES)
  describe(`${ENGINE_NAMES[engine]}, ${PROTOCOL} protocol`, () => {
    let fixture: Fixture | undefined
    const obtain = async () => {
      fixture ??= await startTestServers(programs, REPLICAS, CONSISTENCY)
      return fixture
    }
    /** In the state of the start, in a new fixture where the file before has broken it. */
    const fresh = async () => {
      try {
        const present = await obtain()
        await present.reset()
        return present
      } catch {
        await fixture?.end()
        fixture = undefined
        const next = await obtain()
        await next.reset()
        return next
      }
    }
    afterAll(async () => {
      for (const [reason, count] of leftOut) process.stdout.write(`${count} files left out: ${reason}\n`)
      if (fixture !== undefined)
        keep(
          `${engine}-sluice.log`,
          fixture
            .log()
            .map((line) => JSON.stringify(line))
            .join('\n'),
        )
      await fixture?.end()
    })

    for (const file of files) {
      it(file.name, { timeout: FILE_TIMEOUT_MS }, async ({ task }) => {
        const { verdict, difference, ms } = await judge(programs, file, fresh)
        task.meta.verdict = verdict
        note(engine, file, verdict, ms)
        if (difference !== '') keep(`${engine}-${PROTOCOL}-${flat(file)}.diff`, difference)
        if (verdict === 'different') throw new Error(difference)
      })
    }
  })
}

interface Judgement {
  readonly verdict: Verdict
  readonly difference: string
  readonly ms: readonly number[]
}

async function judge(programs: SuitePrograms, file: TestFile, fresh: () => Promise<Fixture>): Promise<Judgement> {
  const run = async (way: 'direct' | 'through', suffix = ''): Promise<Outcome> => {
    const fixture = await fresh()
    const target: Target = fixture[way]
    const limitMs = way === 'direct' ? LIMIT_MS : LIMIT_MS * THROUGH_FACTOR
    const outcome = await runMysqltest({ programs, file, target, protocol: PROTOCOL, varDir: fixture.varDir, limitMs })
    const output = fixture.normalise(outcome.output, target)
    keep(`${programs.engine}-${PROTOCOL}-${flat(file)}.${way}${suffix}`, output)
    return { ...outcome, output }
  }
  const direct = await run('direct')
  if (direct.status === null) return { verdict: 'takes too long directly', difference: '', ms: [direct.ms] }
  const through = await run('through')
  const ms = [direct.ms, through.ms]
  const differences = differencesOf(direct.output, through.output)
  const sameEnd = direct.status === through.status
  if (differences.length === 0 && sameEnd) return { verdict: equalVerdict(direct), difference: '', ms }
  const again = await run('direct', '-again')
  const unstable = differencesOf(direct.output, again.output)
  const stable = differences.filter((difference) => !isUnstable(difference, unstable))
  const unexplained = stable.filter((difference) => !isKnown(difference, programs.engine, file.name))
  const show = (which: typeof differences) =>
    `${file.name}: status ${direct.status} directly, ${through.status ?? 'no end'} through Sluice\n${formatDifferences(direct.output, which)}`
  if (stable.length === 0 && sameEnd) return { verdict: equalVerdict(direct), difference: '', ms }
  if (again.status !== direct.status) return { verdict: 'not stable directly', difference: show(stable), ms }
  if (stable.length > 0 && unexplained.length === 0) return { verdict: 'known', difference: show(stable), ms }
  return { verdict: 'different', difference: show(unexplained), ms }
}

function equalVerdict({ status }: Outcome): Verdict {
  if (status === 0) return 'equal'
  return status === SKIPPED ? 'equal, skips itself' : 'equal, fails directly'
}

function flat({ name }: TestFile): string {
  return name.replaceAll('/', '-')
}

/** One line for each file, as they come. */
function note(engine: Engine, { name }: TestFile, verdict: Verdict, ms: readonly number[]): void {
  if (OUTPUT === undefined) return
  mkdirSync(OUTPUT, { recursive: true })
  appendFileSync(join(OUTPUT, `${engine}-${PROTOCOL}.tsv`), `${[name, verdict, ...ms.map(Math.round)].join('\t')}\n`)
}

/** With SUITE_OUTPUT set, all that was printed is kept in that folder. */
function keep(name: string, output: string): void {
  if (OUTPUT === undefined) return
  mkdirSync(OUTPUT, { recursive: true })
  writeFileSync(join(OUTPUT, name), output, 'latin1')
}
