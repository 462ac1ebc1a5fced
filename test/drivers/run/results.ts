/** What the test runners of several languages print, as one verdict for each test. */

export type Verdict = 'passed' | 'failed' | 'skipped'

export interface TestResult {
  readonly verdict: Verdict
  /** What is said of a failure, in one line; may be empty. */
  readonly message: string
}

/** By the name that the runner gives the test. */
export type Results = ReadonlyMap<string, TestResult>

const MESSAGE_CHARS_MAX = 300

/** Collects verdicts; a failure stays one, whatever else is said of the same test. */
class Collector {
  readonly results = new Map<string, TestResult>()

  add(name: string, verdict: Verdict, message = ''): void {
    const before = this.results.get(name)
    if (before?.verdict === 'failed' && (verdict !== 'failed' || before.message !== '')) return
    this.results.set(name, { verdict, message: message.trim().slice(0, MESSAGE_CHARS_MAX) })
  }
}

const PYTEST_VERDICTS: Readonly<Record<string, Verdict>> = {
  PASSED: 'passed',
  XFAIL: 'passed',
  XPASS: 'failed',
  FAILED: 'failed',
  ERROR: 'failed',
}

/** pytest with `-rA`: a line for each test below "short test summary info"; those skipped are told by place and number only. */
export function readPytest(output: string): Results {
  const collector = new Collector()
  const summary = output.slice(output.lastIndexOf('short test summary info'))
  for (const [, word = '', name = '', message] of summary.matchAll(
    /^(PASSED|XFAIL|XPASS|FAILED|ERROR) (\S+?::[^\s[]+(?:\[.*?\](?= - |$))?)(?: - (.*))?$/gm,
  )) {
    collector.add(name, PYTEST_VERDICTS[word]!, message)
  }
  return collector.results
}

const GO_VERDICTS: Readonly<Record<string, Verdict>> = { PASS: 'passed', FAIL: 'failed', SKIP: 'skipped' }

/** `go test -v`: what a test logs comes between `=== RUN name` (or NAME, CONT) and its verdict. */
export function readGoTest(output: string): Results {
  const collector = new Collector()
  const logged = new Map<string, string>()
  let current = ''
  for (const line of output.split('\n')) {
    const begun = /^=== (?:RUN|NAME|CONT) +(\S+)/.exec(line)
    const ended = /^ *--- (PASS|FAIL|SKIP): (\S+) \(/.exec(line)
    if (begun !== null) current = begun[1]!
    else if (ended !== null) collector.add(ended[2]!, GO_VERDICTS[ended[1]!]!, logged.get(ended[2]!))
    else if (/^ {4,}\S/.test(line)) logged.set(current, `${logged.get(current) ?? ''} ${line.trim()}`)
  }
  return collector.results
}

const PHPT_VERDICTS: Readonly<Record<string, Verdict>> = {
  PASS: 'passed',
  XFAIL: 'passed',
  XPASS: 'failed',
  FAIL: 'failed',
  BORK: 'failed',
  SKIP: 'skipped',
}

/** PHP's run-tests.php: `VERDICT description [file]`; with `--show-diff` what a test has printed wrongly comes before it. */
export function readPhpt(output: string): Results {
  const collector = new Collector()
  let printed: string[] = []
  for (const line of output.split('\n')) {
    const [, word = '', file] = /^(PASS|XFAIL|XPASS|FAIL|BORK|SKIP) .*\[(\S+\.phpt)\]/.exec(line) ?? []
    if (file !== undefined) collector.add(file, PHPT_VERDICTS[word]!, word === 'FAIL' ? printed.join(' ') : '')
    if (file !== undefined || line.endsWith('=DIFF========')) printed = []
    else if (/^\d+\+ /.test(line)) printed.push(line.replace(/^\d+\+ /, ''))
  }
  return collector.results
}

const UNITTEST_VERDICTS: Readonly<Record<string, Verdict>> = {
  ok: 'passed',
  'expected failure': 'passed',
  'unexpected success': 'failed',
  FAIL: 'failed',
  ERROR: 'failed',
  skipped: 'skipped',
}

/** A verdict ends the line that the test's name or its description has begun, or what the test itself has printed. */
const UNITTEST_LINE =
  /(?:\.\.\. .*?|^)(ok|expected failure|unexpected success|FAIL|ERROR|skipped(?= ['"]))(?: ['"].*)?$/

/** Python's unittest with verbosity 2: `name (place) ... verdict`, and at the end a section for each failure, subtests' too. */
export function readUnittest(output: string): Results {
  const collector = new Collector()
  let name = ''
  for (const line of output.split('\n')) {
    name = /^(\w+ \([\w.]+\))/.exec(line)?.[1] ?? name
    const word = UNITTEST_LINE.exec(line)?.[1]
    if (name !== '' && word !== undefined) collector.add(name, UNITTEST_VERDICTS[word]!)
  }
  for (const section of output.split(/^={70}$/m).slice(1)) {
    const name = /^\s*(?:FAIL|ERROR): (\w+ \([\w.]+\))/.exec(section)?.[1]
    if (name === undefined) continue
    const [, trace = ''] = section.split(/^-{70}$/m)
    const said = trace.split('\n').filter((text) => /^[\w.]+(Error|Exception|Warning|Exit|Failure)\b/.test(text))
    collector.add(name, 'failed', said.at(-1))
  }
  return collector.results
}
