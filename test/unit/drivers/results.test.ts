import { describe, expect, it } from 'vitest'
import { compare, onlyStable } from '../../drivers/run/compare.js'
import {
  type Results,
  readGoTest,
  readPhpt,
  readPytest,
  readUnittest,
  type Verdict,
} from '../../drivers/run/results.js'

describe('what test runners print', () => {
  it('is read from pytest, a failure in a test and after it being one', () => {
    const output = [
      'PASSED is what this test prints',
      '=========================== short test summary info ============================',
      'PASSED tests/test_a.py::TestOne::test_plain',
      'PASSED tests/test_a.py::test_parameters[a - b]',
      'PASSED tests/test_a.py::TestOne::test_teardown',
      'SKIPPED [3] tests/test_a.py:12: needs more',
      'XFAIL tests/test_a.py::test_expected - reason',
      'ERROR tests/test_a.py::TestOne::test_teardown - KeyError: 1',
      'FAILED tests/test_a.py::test_failed - pymysql.err.OperationalError: (2013, ...)',
      '3 passed, 1 failed, 3 skipped in 2.0s',
    ].join('\n')
    expect(verdicts(readPytest(output))).toEqual({
      'tests/test_a.py::TestOne::test_plain': 'passed',
      'tests/test_a.py::test_parameters[a - b]': 'passed',
      'tests/test_a.py::TestOne::test_teardown': 'failed',
      'tests/test_a.py::test_expected': 'passed',
      'tests/test_a.py::test_failed': 'failed',
    })
    expect(readPytest(output).get('tests/test_a.py::test_failed')?.message).toBe(
      'pymysql.err.OperationalError: (2013, ...)',
    )
  })

  it('is read from go, with what a test logs', () => {
    const output = [
      '=== RUN   TestTLS',
      '=== RUN   TestTLS/default',
      '    driver_test.go:90: error on SHOW: bad',
      '        cipher',
      '=== RUN   TestTLS/compress',
      '--- FAIL: TestTLS (0.20s)',
      '    --- FAIL: TestTLS/default (0.10s)',
      '    --- PASS: TestTLS/compress (0.10s)',
      '=== RUN   TestSkipped',
      '    driver_test.go:9: no server',
      '--- SKIP: TestSkipped (0.00s)',
      'FAIL',
    ].join('\n')
    const results = readGoTest(output)
    expect(verdicts(results)).toEqual({
      TestTLS: 'failed',
      'TestTLS/default': 'failed',
      'TestTLS/compress': 'passed',
      TestSkipped: 'skipped',
    })
    expect(results.get('TestTLS/default')?.message).toBe('driver_test.go:90: error on SHOW: bad cipher')
  })

  it('is read from PHP, with what a test has printed wrongly', () => {
    const output = [
      'PASS mysqli connect [ext/mysqli/tests/001.phpt] ',
      '',
      '========DIFF========',
      '001+ [001] [1305] FUNCTION md5 does not exist',
      '     done!',
      '007+ more',
      '001- array(3) {',
      '========DONE========',
      'FAIL mysqli [fetch] functions [ext/mysqli/tests/017.phpt] ',
      'SKIP PAM auth plugin [ext/mysqli/tests/pam.phpt] reason: Server PAM plugin not installed',
      'XFAIL bound parameters [ext/mysqli/tests/bound.phpt]   XFAIL REASON: none',
      'FAILED TEST SUMMARY',
      'mysqli [fetch] functions [ext/mysqli/tests/017.phpt]',
    ].join('\n')
    const results = readPhpt(output)
    expect(verdicts(results)).toEqual({
      'ext/mysqli/tests/001.phpt': 'passed',
      'ext/mysqli/tests/017.phpt': 'failed',
      'ext/mysqli/tests/pam.phpt': 'skipped',
      'ext/mysqli/tests/bound.phpt': 'passed',
    })
    expect(results.get('ext/mysqli/tests/017.phpt')?.message).toBe('[001] [1305] FUNCTION md5 does not exist more')
  })

  it("is read from Python's unittest, whose tests may have a description, print, and fail in parts", () => {
    const output = [
      'test_plain (app.tests.Tests.test_plain) ... ok',
      'test_described (app.tests.Tests.test_described)',
      'What it is about. ... FAIL',
      'test_prints (app.tests.Tests.test_prints) ... some text',
      'ok',
      "test_skipped (app.tests.Tests.test_skipped) ... skipped 'not supported'",
      'test_parts (app.tests.Tests.test_parts) ...   test_parts (app.tests.Tests.test_parts) (value=1) ... ERROR',
      'test_last (app.tests.Tests.test_last) ... expected failure',
      '',
      '='.repeat(70),
      'ERROR: test_parts (app.tests.Tests.test_parts) (value=1)',
      '-'.repeat(70),
      'Traceback (most recent call last):',
      '  File "x.py", line 1, in f',
      'MySQLdb.OperationalError: (1205, "Lock wait timeout exceeded")',
      '',
      'The above exception was the direct cause of the following exception:',
      'django.db.utils.OperationalError: (1205, "Lock wait timeout exceeded")',
      '',
      '='.repeat(70),
      'FAIL: test_described (app.tests.Tests.test_described)',
      'What it is about.',
      '-'.repeat(70),
      'Traceback (most recent call last):',
      'AssertionError: 1 != 2',
      '',
      '-'.repeat(70),
      'Ran 6 tests in 1s',
    ].join('\n')
    const results = readUnittest(output)
    expect(verdicts(results)).toEqual({
      'test_plain (app.tests.Tests.test_plain)': 'passed',
      'test_described (app.tests.Tests.test_described)': 'failed',
      'test_prints (app.tests.Tests.test_prints)': 'passed',
      'test_skipped (app.tests.Tests.test_skipped)': 'skipped',
      'test_parts (app.tests.Tests.test_parts)': 'failed',
      'test_last (app.tests.Tests.test_last)': 'passed',
    })
    expect(results.get('test_parts (app.tests.Tests.test_parts)')?.message).toMatch(/^django.*1205/)
    expect(results.get('test_described (app.tests.Tests.test_described)')?.message).toBe('AssertionError: 1 != 2')
  })
})

describe('the comparison of both ways', () => {
  const direct = resultsOf({ a: 'passed', b: 'passed', c: 'passed', d: 'failed', e: 'skipped' })

  it('tells what passes directly alone, and what has no verdict through Sluice', () => {
    const { passed, failedDirectly, skippedDirectly, differences } = compare(
      'suite',
      'mysql',
      direct,
      resultsOf({ a: 'passed', b: 'failed', d: 'failed', e: 'failed' }),
    )
    expect([passed, failedDirectly, skippedDirectly]).toEqual([3, 1, 1])
    expect(differences.map(({ test, message }) => `${test}: ${message}`)).toEqual(['b: failed', 'c: has no verdict'])
  })

  it('leaves out what two runs on the server tell differently', () => {
    const stable = onlyStable(direct, resultsOf({ a: 'failed', b: 'passed', d: 'failed' }))
    expect([...stable.keys()]).toEqual(['b', 'd'])
  })
})

function verdicts(results: Results): Record<string, Verdict> {
  return Object.fromEntries([...results].map(([name, { verdict }]) => [name, verdict]))
}

function resultsOf(given: Record<string, Verdict>): Results {
  return new Map(Object.entries(given).map(([name, verdict]) => [name, { verdict, message: '' }]))
}
