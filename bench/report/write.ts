import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toMarkdown } from './markdown.js'
import { type Report, titleOf } from './report.js'
import { panelsOf, toSvg } from './svg.js'

/**
 * Writes `<date>-<workload>.md`, `.svg` and `.json`; files of the same day and name are replaced.
 * @param label goes behind the workload's name, to keep several runs of a day apart
 * @returns path of the Markdown file
 */
export function writeReport(report: Report, dir: string, label: string): string {
  mkdirSync(dir, { recursive: true })
  const base = `${report.date.slice(0, 10)}-${report.workload}${label === '' ? '' : `-${label}`}`
  const path = (extension: string) => join(dir, `${base}.${extension}`)
  writeFileSync(path('json'), `${JSON.stringify(report)}\n`)
  writeFileSync(path('svg'), toSvg(titleOf(report), panelsOf(report)))
  writeFileSync(path('md'), toMarkdown(report, `${base}.svg`))
  return path('md')
}
