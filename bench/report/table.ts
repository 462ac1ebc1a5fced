import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeMachine } from '../system/machine.js'

/** A result that is a table, without a plot. */
export interface Table {
  readonly title: string
  /** What the numbers are; sentences. */
  readonly note: string
  readonly headings: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** What the JSON file holds as `rows`. */
  readonly data: unknown
  readonly servers: string
}

/** A Markdown table, which reads well in a terminal too. */
export function toMarkdownTable({ headings, rows }: Table): string {
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => row[column].length)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line), ''].join('\n')
}

/** Writes `<date>-<title>.md` and `.json`. @returns path of the Markdown file */
export function writeTable(table: Table, dir: string, label: string): string {
  mkdirSync(dir, { recursive: true })
  const date = new Date().toISOString().slice(0, 10)
  const machine = describeMachine()
  const base = join(dir, `${date}-${table.title}${label === '' ? '' : `-${label}`}`)
  const { cores, cpu, memoryGiB, kernel, node } = machine
  const page = [
    `# ${table.title}, ${date}`,
    '',
    table.note,
    '',
    toMarkdownTable(table),
    `- Servers: ${table.servers}, on the same machine`,
    `- Machine: ${cores} cores (${cpu}), ${memoryGiB} GiB, Linux ${kernel}, Node ${node}`,
    '',
  ]
  writeFileSync(`${base}.md`, page.join('\n'))
  writeFileSync(`${base}.json`, `${JSON.stringify({ date, machine, servers: table.servers, rows: table.data })}\n`)
  return `${base}.md`
}
