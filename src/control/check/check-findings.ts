export type FindingLevel = 'ok' | 'warning' | 'problem'

/** One line of `sluice check`. */
export interface Finding {
  readonly level: FindingLevel
  /** Server id, `servers`, or the file. */
  readonly subject: string
  readonly text: string
  /** What to do about it; empty when there is nothing. */
  readonly fix: string
}

export function ok(subject: string, text: string): Finding {
  return { level: 'ok', subject, text, fix: '' }
}

export function warning(subject: string, text: string, fix = ''): Finding {
  return { level: 'warning', subject, text, fix }
}

export function problem(subject: string, text: string, fix = ''): Finding {
  return { level: 'problem', subject, text, fix }
}

/** Text for people: one line per finding, what to do on the next. */
export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ subject }) => subject.length))
  const lines = findings.flatMap(({ level, subject, text, fix }) => {
    const line = `${level.padEnd(7)}  ${subject.padEnd(width)}  ${text}`
    return fix === '' ? [line] : [line, `${' '.repeat(width + 11)}-> ${fix}`]
  })
  const count = (level: FindingLevel): number => findings.filter((finding) => finding.level === level).length
  const plural = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`
  lines.push('', `${plural(count('problem'), 'problem')}, ${plural(count('warning'), 'warning')}, ${count('ok')} ok`)
  return `${lines.join('\n')}\n`
}
