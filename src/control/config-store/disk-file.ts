import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { UsageError } from '../../shared/errors.js'
import type { SqlValue } from '../admin/engine/messages.js'
import type { Row, SectionRows } from './rows.js'
import type { Section, SectionName } from './section.js'

/** What SAVE ... TO DISK leaves behind for a section. */
export interface SavedSection {
  /** Milliseconds since 1970. */
  readonly savedAt: number
  /** Hash of the file's section at that moment (`hashOfSection`). */
  readonly fileHash: string
  readonly rows: SectionRows
}

export type SavedSections = ReadonlyMap<SectionName, SavedSection>

const FORMAT = 1
const OWNER_ONLY = 0o600

/** One file for each configuration file: several proxies may share a datadir. */
export function diskPath(datadir: string, configPath: string): string {
  const hash = createHash('sha256').update(resolve(configPath)).digest('hex')
  return join(datadir, `config-${hash.slice(0, 12)}.json`)
}

/** Hash of what the configuration file says of a section; that it says nothing has a hash, too. */
export function hashOfSection(section: Section, fileValues: Readonly<Record<string, unknown>>): string {
  const own = section.keys.map((key) => [key, fileValues[key] ?? null])
  return createHash('sha256').update(JSON.stringify(own)).digest('hex')
}

interface StoredTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly SqlValue[])[]
}

interface StoredSection {
  readonly saved_at: string
  readonly file_hash: string
  readonly tables: Readonly<Record<string, StoredTable>>
}

/** Throws a UsageError for a file that is there and cannot be used; one that is not there holds nothing. */
export function readDisk(path: string): SavedSections {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return new Map()
    throw new UsageError(`${path}: cannot be read (${code ?? String(error)})`)
  }
  return parseDisk(text, path)
}

function parseDisk(text: string, path: string): SavedSections {
  const hint = 'mend it, or move it away to begin with the configuration file'
  try {
    const { format, sections } = JSON.parse(text) as { format: number; sections: Record<SectionName, StoredSection> }
    if (format !== FORMAT) throw new UsageError(`${path}: expected format ${FORMAT}, got ${format}; ${hint}`)
    return new Map(Object.entries(sections).map(([name, stored]) => [name as SectionName, parseSection(stored)]))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`${path}: expected what SAVE ... TO DISK has written (${(error as Error).message}); ${hint}`)
  }
}

function parseSection({ saved_at, file_hash, tables }: StoredSection): SavedSection {
  const rows = Object.entries(tables).map(([table, { columns, rows: stored }]): [string, Row[]] => [
    table,
    stored.map((cells) => Object.fromEntries(columns.map((column, index) => [column, cells[index]]))),
  ])
  return { savedAt: Date.parse(saved_at), fileHash: file_hash, rows: new Map(rows) }
}

function formatSection({ savedAt, fileHash, rows }: SavedSection): StoredSection {
  const tables = [...rows].map(([table, all]): [string, StoredTable] => {
    const columns = Object.keys(all[0] ?? {})
    return [table, { columns, rows: all.map((row) => columns.map((column) => row[column])) }]
  })
  return { saved_at: new Date(savedAt).toISOString(), file_hash: fileHash, tables: Object.fromEntries(tables) }
}

/**
 * Writes the whole file in the place of the one before: whatever happens meanwhile, either that one or this one is there,
 * and after this resolves it is this one. Rejects with the system's error, the old file untouched.
 */
export async function writeDisk(path: string, sections: SavedSections): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const stored = Object.fromEntries([...sections].map(([name, section]) => [name, formatSection(section)]))
  await writeWhole(path, `${JSON.stringify({ format: FORMAT, sections: stored })}\n`)
}

/** As `writeDisk`, for any text that only its owner may read. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w', OWNER_ONLY)
  try {
    await file.chmod(OWNER_ONLY)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

/** A rename is on disk when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
