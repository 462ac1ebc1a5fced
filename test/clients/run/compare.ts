import { KNOWN, type Known } from './known.js'

export interface Difference {
  readonly name: string
  readonly direct: readonly string[]
  readonly through: readonly string[]
  readonly known: Known | undefined
}

export interface Comparison {
  readonly equal: number
  readonly differences: readonly Difference[]
}

export interface Run {
  readonly client: string
  readonly engine: string
  readonly account: string
}

const LINES_MAX = 3
const LINE_CHARS_MAX = 300

/** Compares what a script printed in two runs, case by case: a line is `name: text`, a case may have several. */
export function compare(run: Run, direct: string, through: string): Comparison {
  const [one, two] = [byCase(direct), byCase(through)]
  const names = new Set([...one.keys(), ...two.keys()])
  const differences: Difference[] = []
  for (const name of names) {
    const lines = { direct: one.get(name) ?? [], through: two.get(name) ?? [] }
    if (lines.direct.join('\n') === lines.through.join('\n')) continue
    differences.push({ name, ...lines, known: KNOWN.find((known) => isKnown(known, run, name, lines)) })
  }
  return { equal: names.size - differences.length, differences }
}

/** The lines that are in one run only, shortened. */
export function formatDifference({ name, direct, through }: Difference): string {
  const shared = (lines: readonly string[], others: readonly string[]) => {
    const only = lines.filter((line, index) => others[index] !== line)
    const shown = only.slice(0, LINES_MAX).map((line) => markFirst(line, others))
    return only.length > shown.length ? [...shown, `(${only.length - shown.length} more)`] : shown
  }
  const minus = shared(direct, through).map((line) => `    - ${line}`)
  const plus = shared(through, direct).map((line) => `    + ${line}`)
  return [`  ${name}`, ...minus, ...plus].join('\n')
}

/** A long line from where it begins to differ from its nearest counterpart. */
function markFirst(line: string, others: readonly string[]): string {
  if (line.length <= LINE_CHARS_MAX) return line
  const lengths = others.map((other) => commonLength(line, other))
  const at = Math.max(0, ...lengths) - 60
  return at <= 0 ? `${line.slice(0, LINE_CHARS_MAX)}...` : `...${line.slice(at, at + LINE_CHARS_MAX)}...`
}

function commonLength(one: string, two: string): number {
  let at = 0
  while (at < one.length && one[at] === two[at]) at++
  return at
}

function byCase(output: string): Map<string, string[]> {
  const cases = new Map<string, string[]>()
  for (const line of output.split('\n')) {
    const at = line.indexOf(': ')
    if (at < 0) continue
    const name = line.slice(0, at)
    const lines = cases.get(name)
    if (lines === undefined) cases.set(name, [line.slice(at + 2)])
    else lines.push(line.slice(at + 2))
  }
  return cases
}

function isKnown(known: Known, run: Run, name: string, lines: { direct: string[]; through: string[] }): boolean {
  const fits = (pattern: RegExp | undefined, text: string) => pattern === undefined || pattern.test(text)
  return (
    fits(known.client, run.client) &&
    fits(known.engine, run.engine) &&
    fits(known.account, run.account) &&
    known.name.test(name) &&
    fits(known.direct, lines.direct.join('\n')) &&
    fits(known.through, lines.through.join('\n'))
  )
}
