/** Lines shown of the differences of a file. */
const SHOWN_MAX = 80
const BEFORE_SHOWN = 6
const LINE_CHARS_MAX = 240
/** Lines that one side may have more before the rest of both counts as one difference. */
const LOOK_AHEAD = 200

/** Lines in the place of which others were printed through Sluice. */
export interface Difference {
  /** Index of the first of them in what was printed directly; where there are none: of the line before which the others stand. */
  readonly at: number
  readonly direct: readonly string[]
  readonly through: readonly string[]
  /** Both outputs end with it. */
  readonly isLast: boolean
}

/** Where two outputs differ. */
export function differencesOf(direct: string, through: string): Difference[] {
  const [one, two] = [direct.split('\n'), through.split('\n')]
  const found: Difference[] = []
  let [at, other] = [0, 0]
  while (at < one.length || other < two.length) {
    if (one[at] === two[other]) {
      at++
      other++
      continue
    }
    const [skipOne, skipTwo] = resynchronise(one, at, two, other)
    const isLast = at + skipOne === one.length && other + skipTwo === two.length
    found.push({ at, direct: one.slice(at, at + skipOne), through: two.slice(other, other + skipTwo), isLast })
    at += skipOne
    other += skipTwo
  }
  return found
}

/** After how many lines of each the two go on alike: the fewest lines left out first. */
function resynchronise(one: readonly string[], at: number, two: readonly string[], other: number): [number, number] {
  for (let sum = 1; sum < LOOK_AHEAD; sum++) {
    for (let skipped = 0; skipped <= sum; skipped++) {
      const [a, b] = [at + sum - skipped, other + skipped]
      if (a < one.length && b < two.length && one[a] === two[b] && one[a + 1] === two[b + 1])
        return [sum - skipped, skipped]
    }
  }
  return [one.length - at, two.length - other]
}

/**
 * Whether all lines that it concerns differ between two runs without Sluice too, so that nothing can be said of them.
 * @param unstable where these two runs differ
 */
export function isUnstable({ at, direct }: Difference, unstable: readonly Difference[]): boolean {
  const covers = (from: number, to: number) =>
    unstable.some((other) => other.at <= from && to <= other.at + other.direct.length)
  return direct.length === 0 ? covers(at, at) : direct.every((_, index) => covers(at + index, at + index + 1))
}

/** The lines around the differences: `-` was printed directly only, `+` through Sluice only. */
export function formatDifferences(direct: string, differences: readonly Difference[]): string {
  const lines = direct.split('\n')
  const shown: string[] = []
  for (const { at, direct, through } of differences) {
    if (shown.length > SHOWN_MAX) break
    if (shown.length > 0) shown.push('  ...')
    shown.push(...lines.slice(Math.max(0, at - BEFORE_SHOWN), at).map((line) => `    ${cut(line)}`))
    shown.push(...direct.slice(0, SHOWN_MAX).map((line) => `  - ${cut(line)}`))
    shown.push(...through.slice(0, SHOWN_MAX).map((line) => `  + ${cut(line)}`))
  }
  return shown.join('\n')
}

function cut(line: string): string {
  return line.length <= LINE_CHARS_MAX ? line : `${line.slice(0, LINE_CHARS_MAX)}...`
}
