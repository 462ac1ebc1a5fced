import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { ENGINE_NAMES, type Engine } from '../../../src/sandbox/index.js'
import { execute, machineEnvironment } from '../../clients/run/execute.js'
import { Fixture } from '../../suites/run/fixture.js'
import { SUITES } from '../recipes/index.js'
import { type Comparison, compare, type Difference, onlyStable } from './compare.js'
import type { DriverSuite, ReadySuite } from './driver-suite.js'
import type { Results } from './results.js'

const REPLICAS = Number(process.env['DRIVER_REPLICAS'] ?? 1)
/** Tests expect of a connection what another one has done. */
const CONSISTENCY = process.env['DRIVER_CONSISTENCY'] ?? 'global'
const OUTPUT = process.env['DRIVER_OUTPUT']

/** A run through Sluice, on a busy machine, before it counts as one that hangs. */
const THROUGH_FACTOR = 2
const TEST_TIMEOUT_MS = 4 * 3600_000
const SHOWN_MAX = 100

declare module 'vitest' {
  interface TaskMeta {
    report?: string
  }
}

/** A test for every suite: what passes on the server passes through Sluice. */
export function describeDrivers(engine: Engine): void {
  describe(ENGINE_NAMES[engine], () => {
    let fixture: Fixture | undefined
    const fresh = async (statements: readonly string[]) => {
      try {
        fixture ??= await startFixture(engine)
        await fixture.reset(statements)
      } catch {
        // A suite has left what cannot be undone.
        await fixture?.end()
        fixture = await startFixture(engine)
        await fixture.reset(statements)
      }
      return fixture
    }
    afterAll(async () => {
      const log = fixture?.log().map((line) => JSON.stringify(line)) ?? []
      keep(`${engine}-sluice.log`, log.join('\n'))
      await fixture?.end()
    })

    for (const suite of SUITES) {
      it(suite.name, { timeout: TEST_TIMEOUT_MS }, async ({ task }) => {
        const { report, failure } = await judge(suite, engine, fresh)
        task.meta.report = report
        if (failure !== '') throw new Error(failure)
      })
    }
  })
}

function startFixture(engine: Engine): Promise<Fixture> {
  return Fixture.start(engine, {
    replicas: REPLICAS,
    serverOptions: [],
    config: () => ({ consistency: { level: CONSISTENCY } }),
  })
}

async function judge(
  suite: DriverSuite,
  engine: Engine,
  fresh: (statements: readonly string[]) => Promise<Fixture>,
): Promise<{ report: string; failure: string }> {
  const ready = await suite.prepare()
  const run = async (way: 'direct' | 'through', suffix = ''): Promise<Results> => {
    const fixture = await fresh(ready.statements)
    const output = await runSuite(ready, engine, fixture[way], way === 'direct' ? 1 : THROUGH_FACTOR)
    keep(`${engine}-${suite.name}.${way}${suffix}`, output)
    return ready.read(output)
  }
  const direct = await run('direct')
  const through = await run('through')
  const first = compare(suite.name, engine, direct, through)
  const suspect = first.differences.some(({ known }) => known === undefined)
  const comparison = suspect
    ? compare(suite.name, engine, onlyStable(direct, await run('direct', '-again')), through)
    : first
  return reportOf(`${suite.name} on ${ENGINE_NAMES[engine]}`, comparison)
}

async function runSuite(
  ready: ReadySuite,
  engine: Engine,
  { port, socket }: { port: number; socket: string },
  factor: number,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-driver-'))
  try {
    const { command, env, cwd } = ready.launch({ engine, port, socket, folder })
    const options = { env: { ...machineEnvironment(folder), ...env }, cwd, limitMs: ready.limitMs * factor }
    const { output, errors, end } = await execute(command, options)
    return `${output}\n${errors}\nend: ${end}\n`
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function reportOf(name: string, comparison: Comparison): { report: string; failure: string } {
  const { passed, failedDirectly, skippedDirectly, differences } = comparison
  const known = differences.filter((difference) => difference.known !== undefined)
  const unknown = differences.filter((difference) => difference.known === undefined)
  const direct = `${passed} pass, ${failedDirectly} fail, ${skippedDirectly} skipped directly`
  const head = `${name}: ${direct}; through Sluice ${known.length} known, ${unknown.length} more fail`
  const reasons = known.map(({ test, known }) => `  known ${test}: ${known?.reason}`)
  const report = [head, ...reasons].join('\n')
  if (passed === 0) return { report, failure: `${head}\n  none of its tests passes directly` }
  const more = unknown.length > SHOWN_MAX ? [`  (${unknown.length - SHOWN_MAX} more)`] : []
  const failure =
    unknown.length === 0 ? '' : [head, ...unknown.slice(0, SHOWN_MAX).map(formatDifference), ...more].join('\n')
  return { report, failure }
}

function formatDifference({ test, message }: Difference): string {
  return `  fails ${test}: ${message}`
}

/** With DRIVER_OUTPUT set, all that suites print is kept in that folder. */
function keep(name: string, output: string): void {
  if (OUTPUT === undefined) return
  mkdirSync(OUTPUT, { recursive: true })
  writeFileSync(join(OUTPUT, name), output)
}
