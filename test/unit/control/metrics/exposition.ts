/** One metric family of Prometheus' text format 0.0.4. */
export interface Family {
  readonly type: string
  readonly help: string
  /** By name and labels, the labels in alphabetical order: `name{a="1",b="2"}`. */
  readonly samples: Map<string, number>
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/
const VALUE = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]Inf|NaN|Nan)$/i

/**
 * Reads the format strictly, as its documentation has it: HELP then TYPE before the samples of a family, families in one
 * piece, no sample twice, buckets that grow and end with +Inf = count. Throws an Error for the first line that is wrong.
 */
export function parseExposition(text: string): Map<string, Family> {
  const families = new Map<string, Family>()
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  let current: { name: string; family: Family } | undefined
  let help: { name: string; text: string } | undefined
  for (const line of text.split('\n')) {
    if (line === '') continue
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line)
    if (comment?.[1] === 'HELP') {
      if (families.has(comment[2])) throw new Error(`family twice: ${comment[2]}`)
      help = { name: comment[2], text: comment[3] }
    } else if (comment?.[1] === 'TYPE') {
      if (help?.name !== comment[2]) throw new Error(`TYPE without its HELP: ${line}`)
      if (!NAME.test(comment[2])) throw new Error(`bad name: ${line}`)
      if (!['counter', 'gauge', 'histogram', 'summary'].includes(comment[3])) throw new Error(`bad type: ${line}`)
      current = { name: comment[2], family: { type: comment[3], help: help.text, samples: new Map() } }
      families.set(current.name, current.family)
    } else {
      if (current === undefined) throw new Error(`sample before any family: ${line}`)
      addSample(current.name, current.family, line)
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family)
  return families
}

function addSample(family: string, { type, samples }: Family, line: string): void {
  const parts = /^([^\s{]+)(?:\{(.*)\})? (\S+)$/.exec(line)
  if (parts === null) throw new Error(`not a sample: ${line}`)
  const [, name, labels = '', value] = parts
  const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
  if (!suffixes.some((suffix) => name === family + suffix)) throw new Error(`${name} stands among ${family}`)
  if (!VALUE.test(value)) throw new Error(`not a value: ${line}`)
  const key = `${name}{${parseLabels(labels).sort().join(',')}}`
  if (samples.has(key)) throw new Error(`sample twice: ${key}`)
  samples.set(key, value.endsWith('Inf') ? Number.POSITIVE_INFINITY : Number(value))
  if (type === 'counter' && !(Number(value) >= 0)) throw new Error(`a counter below 0: ${line}`)
}

function parseLabels(text: string): string[] {
  const labels: string[] = []
  let rest = text
  while (rest !== '') {
    const match = LABEL.exec(rest)
    if (match === null) throw new Error(`bad labels: ${text}`)
    labels.push(`${match[1]}="${match[2]}"`)
    rest = rest.slice(match[0].length)
  }
  return labels
}

function checkHistogram(name: string, { samples }: Family): void {
  const series = new Map<string, [le: number, count: number][]>()
  for (const [key, count] of samples) {
    const le = /[{,]le="([^"]+)"/.exec(key)?.[1]
    if (le === undefined) continue
    const others = key
      .replace(/le="[^"]+",?/, '')
      .replace(/,\}$/, '}')
      .replace(`${name}_bucket`, `${name}_count`)
    series.set(others, [...(series.get(others) ?? []), [le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), count]])
  }
  for (const [count, buckets] of series) {
    const counts = buckets.sort((a, b) => a[0] - b[0]).map(([, value]) => value)
    if (buckets.at(-1)?.[0] !== Number.POSITIVE_INFINITY) throw new Error(`no +Inf: ${count}`)
    if (counts.some((value, at) => value < (counts[at - 1] ?? 0))) throw new Error(`buckets shrink: ${count}`)
    if (samples.get(count) !== counts.at(-1)) throw new Error(`+Inf is not the count: ${count}`)
  }
}
