import type { Engine } from '../../../src/sandbox/index.js'

/** Tests that fail through Sluice for a reason, which docs/compatibility.md tells too. All that is given has to fit. */
export interface Known {
  readonly reason: string
  /** Names of suites. */
  readonly suite: RegExp
  readonly engine?: Engine
  /** Names of tests, whole. */
  readonly tests: readonly string[]
  /** What is said of the failure. */
  readonly message?: RegExp
}

export const KNOWN: readonly Known[] = [
  {
    reason: 'the id of the greeting is not the one that the process list shows',
    suite: /^pymysql$/,
    engine: 'mariadb',
    tests: ['pymysql/tests/test_issues.py::TestNewIssues::test_issue_36'],
    message: /^AssertionError: \d+ != \d+$/,
  },
  {
    reason: 'performance_schema.session_connect_attrs tells what the first client of the server connection has said',
    suite: /^go-sql-driver$/,
    tests: ['TestConnectionAttributes'],
  },
]
