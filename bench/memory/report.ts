import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { number } from '../report/format.js'
import { describeMachine } from '../system/machine.js'

/** One large transfer through one target. */
export interface MemoryRow {
  readonly what: string
  readonly target: string
  /** Resident memory of the target's processes before, with the connection logged in. */
  readonly baseBytes: number
  readonly peakBytes: number
  readonly seconds: number
  /** 10^6 bytes. */
  readonly megabytes: number
}

/** Idle connections at one target. */
export interface IdleRow {
  readonly target: string
  readonly connections: number
  readonly half: number
  /** Resident memory of the target's processes with one connection, with `half` and with all. */
  readonly baseBytes: number
  readonly halfBytes: number
  readonly fullBytes: number
}

interface Table {
  readonly title: string
  readonly headings: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly data: unknown
  readonly servers: string
}

const MEBIBYTE = 1 << 20
const KIBIBYTE = 1 << 10

export function memoryTable(rows: readonly MemoryRow[], servers: string): Table {
  return {
    title: 'memory',
    headings: ['transfer', 'target', 'before MiB', 'most MiB', 'more MiB', 'MB/s'],
    rows: rows.map(({ what, target, baseBytes, peakBytes, seconds, megabytes }) => [
      what,
      target,
      number(baseBytes / MEBIBYTE),
      number(peakBytes / MEBIBYTE),
      number((peakBytes - baseBytes) / MEBIBYTE),
      number(megabytes / seconds),
    ]),
    data: rows,
    servers,
  }
}

export function idleTable(rows: readonly IdleRow[], servers: string): Table {
  return {
    title: 'idle',
    headings: ['target', 'connections', 'before MiB', 'with all MiB', 'KiB each', 'KiB each, second half'],
    rows: rows.map(({ target, connections, half, baseBytes, halfBytes, fullBytes }) => [
      target,
      String(connections),
      number(baseBytes / MEBIBYTE),
      number(fullBytes / MEBIBYTE),
      number((fullBytes - baseBytes) / connections / KIBIBYTE),
      number((fullBytes - halfBytes) / (connections - half) / KIBIBYTE),
    ]),
    data: rows,
    servers,
  }
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
    'Resident memory of all processes of the target together.',
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
