import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** One line for each client, engine and account as they come, with the differences below. */
export default class MatrixReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result()
    if (state === 'skipped') return
    const report = test.meta().report ?? `${test.fullName}: ${state}`
    this.#write(report)
    for (const error of errors ?? []) this.#write(error.message)
  }

  onTestModuleEnd(module: TestModule): void {
    const suites = [module, ...module.children.allSuites()]
    for (const error of suites.flatMap((suite) => suite.errors())) this.#write(error.stack ?? error.message)
  }

  onTestRunEnd(_modules: readonly TestModule[], errors: readonly { message: string; stack?: string }[]): void {
    for (const error of errors) this.#write(error.stack ?? error.message)
  }

  #write(text: string): void {
    process.stdout.write(`${text}\n`)
  }
}
