import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'

/** What a run came to, as `.ci/run` reads it. */
interface Summary {
  passed: number
  failed: number
  /** Of those that passed, the ones in files where nothing failed. */
  passedInGoodFiles: number
  failedFiles: string[]
  /** Something failed that belongs to no file. */
  elsewhere: boolean
}

/**
 * Ends the output with one line that people and CI can read: `N passed, N failed`. SLUICE_TEST_SUMMARY names a file that is to have
 * the whole summary.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const summary = summarise(modules, unhandledErrors)
    const path = process.env['SLUICE_TEST_SUMMARY']
    if (path !== undefined) writeFileSync(path, JSON.stringify(summary))
    // At the very end: other reporters have their say first.
    process.once('exit', () => process.stdout.write(`${summary.passed} passed, ${summary.failed} failed\n`))
  }
}

function summarise(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): Summary {
  // An error outside of every test is a failure too.
  const blamed = unhandledErrors.map(fileOf)
  const summary: Summary = {
    passed: 0,
    failed: unhandledErrors.length,
    passedInGoodFiles: 0,
    failedFiles: [],
    elsewhere: blamed.includes(null),
  }
  for (const module of modules) {
    const { passed, failed } = countsOf(module)
    summary.passed += passed
    summary.failed += failed
    if (failed > 0 || blamed.includes(module.moduleId)) summary.failedFiles.push(module.moduleId)
    else summary.passedInGoodFiles += passed
  }
  return summary
}

function countsOf(module: TestModule): { passed: number; failed: number } {
  // A file that could not be loaded, and a group whose preparation failed, count as one.
  let failed = module.errors().length > 0 ? 1 : 0
  let passed = 0
  for (const suite of module.children.allSuites()) if (suite.errors().length > 0) failed++
  for (const test of module.children.allTests()) {
    const { state } = test.result()
    if (state === 'passed') passed++
    if (state === 'failed') failed++
  }
  return { passed, failed }
}

/** In which file an error was that no test has caught; null: nobody knows. */
function fileOf(error: unknown): string | null {
  const { VITEST_TEST_PATH: path } = error as { VITEST_TEST_PATH?: string }
  return path ?? null
}
