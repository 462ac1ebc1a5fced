/** Lines shown of a difference. */
const SHOWN_MAX = 40
const LINE_CHARS_MAX = 240

/** Where an output of the server differs from itself, so that nothing can be said of the line. */
const UNSTABLE = '<unstable>'

/**
 * Both outputs, with the lines masked that differ between two runs without Sluice.
 * @returns undefined when the two direct runs are too different to tell line by line
 */
export function maskUnstable(
  direct: string,
  again: string,
  through: string,
): { direct: string; through: string } | undefined {
  const [one, two, three] = [direct.split('\n'), again.split('\n'), through.split('\n')]
  if (one.length !== two.length) return undefined
  if (one.length !== three.length) return { direct, through }
  const mask = (lines: readonly string[]) => lines.map((line, at) => (one[at] === two[at] ? line : UNSTABLE)).join('\n')
  return { direct: mask(one), through: mask(three) }
}

/** The lines around which two outputs differ: `-` was printed directly only, `+` through Sluice only. */
export function formatDifference(direct: string, through: string): string {
  const [one, two] = [direct.split('\n'), through.split('\n')]
  const shown: string[] = []
  let [at, other] = [0, 0]
  while ((at < one.length || other < two.length) && shown.length < SHOWN_MAX) {
    if (one[at] === two[other]) {
      at++
      other++
      continue
    }
    const [skipOne, skipTwo] = resynchronise(one, at, two, other)
    if (shown.length > 0) shown.push('  ...')
    shown.push(...one.slice(Math.max(0, at - 6), at).map((line) => `    ${cut(line)}`))
    shown.push(...one.slice(at, at + skipOne).map((line) => `  - ${cut(line)}`))
    shown.push(...two.slice(other, other + skipTwo).map((line) => `  + ${cut(line)}`))
    at += skipOne
    other += skipTwo
  }
  return shown.slice(0, SHOWN_MAX).join('\n')
}

/** After how many lines of each the two go on alike: the fewest lines left out first. */
function resynchronise(one: readonly string[], at: number, two: readonly string[], other: number): [number, number] {
  for (let sum = 1; sum < 60; sum++) {
    for (let skipped = 0; skipped <= sum; skipped++) {
      const [a, b] = [at + sum - skipped, other + skipped]
      if (a < one.length && b < two.length && one[a] === two[b] && one[a + 1] === two[b + 1])
        return [sum - skipped, skipped]
    }
  }
  return [one.length - at, two.length - other]
}

function cut(line: string): string {
  return line.length <= LINE_CHARS_MAX ? line : `${line.slice(0, LINE_CHARS_MAX)}...`
}
