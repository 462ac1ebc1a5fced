import { number } from '../report/format.js'
import type { Table } from '../report/table.js'

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

/** Of both tables. */
const NOTE = 'Resident memory of all processes of the target together.'
const MEBIBYTE = 1 << 20
const KIBIBYTE = 1 << 10

export function memoryTable(rows: readonly MemoryRow[], servers: string): Table {
  return {
    title: 'memory',
    note: NOTE,
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
    note: NOTE,
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
