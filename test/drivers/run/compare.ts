import type { Engine } from '../../../src/sandbox/index.js'
import { KNOWN, type Known } from './known.js'
import type { Results } from './results.js'

export interface Difference {
  readonly test: string
  /** What is said of it through Sluice: of the failure, or that there is no verdict. */
  readonly message: string
  readonly known: Known | undefined
}

export interface Comparison {
  readonly passed: number
  readonly failedDirectly: number
  readonly skippedDirectly: number
  /** Tests that pass directly and not through Sluice. */
  readonly differences: readonly Difference[]
}

/** What both ways say of each test of a suite. */
export function compare(suite: string, engine: Engine, direct: Results, through: Results): Comparison {
  const count = (verdict: string) => [...direct.values()].filter((result) => result.verdict === verdict).length
  const differences: Difference[] = []
  for (const [test, { verdict }] of direct) {
    const other = through.get(test)
    if (verdict !== 'passed' || other?.verdict === 'passed') continue
    const message = other?.message || (other === undefined ? 'has no verdict' : other.verdict)
    const known = KNOWN.find((entry) => isKnown(entry, suite, engine, test, message))
    differences.push({ test, message, known })
  }
  return {
    passed: count('passed'),
    failedDirectly: count('failed'),
    skippedDirectly: count('skipped'),
    differences,
  }
}

/** Without the tests whose verdict differs between two runs without Sluice. */
export function onlyStable(direct: Results, again: Results): Results {
  return new Map([...direct].filter(([test, { verdict }]) => again.get(test)?.verdict === verdict))
}

function isKnown(known: Known, suite: string, engine: Engine, test: string, message: string): boolean {
  return (
    known.suite.test(suite) &&
    (known.engine ?? engine) === engine &&
    known.tests.some((name) => name === test) &&
    (known.message ?? /^/).test(message)
  )
}
