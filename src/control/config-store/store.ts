import { UsageError } from '../../shared/errors.js'
import type { ServerEntry, ServerStatus } from '../../shared/snapshot.js'
import type { DatabaseName } from '../admin/engine/schema.js'
import { type BuiltConfig, buildConfig, type ConfigSource, checkKeys, readConfigSource } from '../config/config.js'
import { readConfigDocument } from '../config/config-file.js'
import type { Config } from '../config/config-schema.js'
import { diskPath, hashOfSection, readDisk, type SavedSection, writeDisk } from './disk-file.js'
import { buildFrom, describeWinners, fileValues, initialRows, unknownVariables, valuesOf, winnerOf } from './initial.js'
import { Layer, mapRows, sameRow, sameRows } from './layer.js'
import { placedServers } from './placed.js'
import type { Row, RowChange, SectionRows, TableRows } from './rows.js'
import { RowsDocument } from './rows-document.js'
import { Secrets, withoutAdminPasswords } from './secrets.js'
import type { Section, SectionName, SectionValues } from './section.js'
import { SECTIONS, sectionNamed, sectionOfRow } from './sections.js'
import { VARIABLE_BY_NAME } from './variable-table.js'
import { VARIABLES_TABLE } from './variables.js'

/** A configuration that is in force from now on. */
export interface Applied {
  /** What an operator should know though it is no error. */
  readonly warnings: readonly string[]
  /** Numbers of the workers that did not acknowledge in time; empty: all did. */
  readonly late: Promise<readonly number[]>
}

/** Where configurations take effect. */
export interface RuntimeTarget {
  /** Rejects with a UsageError, nothing changed, when files that the configuration names cannot be used. */
  apply(config: Config): Promise<Applied>
  /** Servers as workers have them now. */
  servers(): readonly ServerEntry[]
}

/** What a runtime section is compared by between proxies. */
export interface SectionVersion {
  /** Counts the loads that changed something. */
  readonly version: number
  /** Seconds since 1970. */
  readonly epoch: number
}

const READ_ONLY_VARIABLE = 'admin-read_only'
const NO_FILE = readConfigDocument('', '', {})
const NOTHING: Applied = { warnings: [], late: Promise.resolve([]) }

/**
 * The configuration in its three layers: memory (`main` at the admin port), runtime and disk. They hold rows; the file is
 * read into them section by section, and what is to take effect goes through the checks that the file goes through.
 * Changes are made one after the other.
 */
export class ConfigStore {
  readonly memory = new Layer()
  readonly runtime = new Layer()
  readonly disk = new Layer()
  readonly secrets = new Secrets()
  /** For the log: which source won for each section, and what else there is to say. */
  readonly startReport: readonly string[]
  private readonly env: NodeJS.ProcessEnv
  private readonly diskFile: string
  private readonly saved: Map<SectionName, SavedSection>
  private readonly versions = new Map<SectionName, SectionVersion>()
  private runtimeValues: ReadonlyMap<Section, SectionValues>
  private source: ConfigSource
  /** Hash of the file's section as it was read last, by section. */
  private readonly fileHashes = new Map<SectionName, string>()
  private built: BuiltConfig
  private target: RuntimeTarget | null = null
  private queue: Promise<unknown> = Promise.resolve()

  /** Reads the file and what has been saved to disk. Throws a UsageError for what is wrong with either. */
  constructor(path: string, env: NodeJS.ProcessEnv) {
    this.env = env
    this.source = readConfigSource(path, env)
    const fromFile = buildConfig(this.source, env)
    this.diskFile = diskPath(fromFile.config.datadir, path)
    this.saved = new Map(readDisk(this.diskFile))
    const values = new Map<Section, SectionValues>()
    for (const section of SECTIONS) {
      const rows = initialRows(section, this.source, fromFile.file, this.saved)
      values.set(section, valuesOf(section, rows))
      this.memory.replace(section, rows)
      this.runtime.replace(section, rows)
      const saved = this.saved.get(section.name)
      if (saved !== undefined) this.disk.replace(section, saved.rows)
      this.versions.set(section.name, { version: 1, epoch: nowSeconds() })
      this.fileHashes.set(section.name, hashOfSection(section, fileValues(this.source)))
    }
    this.runtimeValues = values
    const onlyFile = SECTIONS.every((section) => winnerOf(section, this.source, this.saved) === 'file')
    this.built = onlyFile ? fromFile : this.buildSaved(values)
    this.startReport = [
      ...unknownVariables(this.saved).map((name) => `${this.diskFile}: ${name} is not known here and left out`),
      ...(this.saved.size === 0 ? [] : [describeWinners(this.source, this.saved)]),
    ]
  }

  /** What was saved has been checked then; a later version, or files that are gone, may find fault with it all the same. */
  private buildSaved(values: ReadonlyMap<Section, SectionValues>): BuiltConfig {
    try {
      return buildFrom(this.source, values, this.env)
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      const hint = `saved in ${this.diskFile}: edit the section in ${this.source.path}, or move that file away`
      throw new UsageError(`${error.message} (${hint})`)
    }
  }

  /** What was loaded to runtime. */
  get config(): Config {
    return this.built.config
  }

  versionOf(section: SectionName): SectionVersion {
    return this.versions.get(section) as SectionVersion
  }

  attach(target: RuntimeTarget): void {
    this.target = target
  }

  /** The writable tables of the admin port; null: that one is none of them. */
  writable(database: DatabaseName, table: string): TableRows | null {
    if (database !== 'main' && database !== 'disk') return null
    return (database === 'main' ? this.memory : this.disk).table(table) ?? null
  }

  /** Servers where they are now, each with the row that was loaded for it. */
  runtimeServers(): { readonly row: Row; readonly entry: ServerEntry }[] {
    return placedServers(this.runtime.table('mysql_servers').all(), this.target?.servers() ?? [])
  }

  /** Does one change after the other. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.queue.then(work)
    this.queue = result.catch(() => undefined)
    return result
  }

  /**
   * Takes what a statement has done to a table. Throws a UsageError, nothing taken, for variables that do not exist or
   * cannot have such a value. Only within `exclusively`.
   * @returns the rows that are to be shown otherwise than they were written: they hold passwords
   */
  applyChanges(database: DatabaseName, table: string, changes: readonly RowChange[]): RowChange[] {
    const rows = this.writable(database, table) as TableRows
    const meant = changes.map(({ rowid, row }) => ({
      rowid,
      row: row === null ? null : this.secrets.reveal(table, row),
    }))
    if (table === VARIABLES_TABLE) for (const { row } of meant) if (row !== null) checkVariable(row)
    rows.apply(meant)
    return meant.flatMap(({ rowid, row }, index) => {
      if (row === null) return []
      const shown = this.secrets.mask(table, row)
      return sameRow(shown, changes[index].row ?? {}) ? [] : [{ rowid, row: shown }]
    })
  }

  /**
   * SET: changes one variable in memory. Rejects with a UsageError for a value that it cannot have.
   * @returns false when there is no such variable
   */
  setVariable(name: string, value: string): Promise<boolean> {
    return this.exclusively(async () => {
      if (!VARIABLE_BY_NAME.has(name)) return false
      this.writeVariable(name, value)
      return true
    })
  }

  private writeVariable(name: string, value: string): void {
    const rows = [...this.memory.table(VARIABLES_TABLE).entries()]
    const rowid =
      rows.find(([, row]) => row['variable_name'] === name)?.[0] ?? 1 + Math.max(0, ...rows.map(([id]) => id))
    this.applyChanges('main', VARIABLES_TABLE, [{ rowid, row: { variable_name: name, variable_value: value } }])
  }

  /** PROXYSQL READONLY and READWRITE: sets `admin-read_only` in memory and runtime, and changes nothing else. */
  setReadOnly(on: boolean): Promise<readonly string[]> {
    return this.settled(async () => {
      const section = sectionNamed('ADMIN VARIABLES')
      const row = { variable_name: READ_ONLY_VARIABLE, variable_value: String(on) }
      const others = this.runtime.rowsOf(section).get(VARIABLES_TABLE) ?? []
      const rows = [...others.filter((other) => other['variable_name'] !== READ_ONLY_VARIABLE), row]
      const applied = await this.enforce(this.source, new Map([[section, new Map([[VARIABLES_TABLE, rows]])]]))
      this.writeVariable(READ_ONLY_VARIABLE, String(on))
      return applied
    })
  }

  /** What memory says, in the shape of the file; throws a UsageError for rows that the file could not say. */
  memoryValues(): Readonly<Record<string, unknown>> {
    const values = SECTIONS.map((section) => [section, valuesOf(section, this.memory.rowsOf(section))] as const)
    return new RowsDocument(this.source.document, new Map(values)).value
  }

  /** After statements that changed rows of the schema `disk`; undoes them when that fails. Only within `exclusively`. */
  async persistTable(table: string): Promise<void> {
    const sections = SECTIONS.filter(({ tables }) => tables.some(({ name }) => name === table))
    try {
      await this.persist(sections, (section) => this.disk.rowsOf(section))
    } catch (error) {
      for (const section of sections) this.disk.replace(section, this.saved.get(section.name)?.rows ?? new Map())
      throw error
    }
  }

  /** LOAD ... TO RUNTIME. Rejects with a UsageError that names row and column, nothing changed. */
  loadToRuntime(name: SectionName): Promise<readonly string[]> {
    return this.settled(() =>
      this.enforce(this.source, new Map([[sectionNamed(name), this.memory.rowsOf(sectionNamed(name))]])),
    )
  }

  /** LOAD MYSQL USER name TO RUNTIME. */
  loadUserToRuntime(username: string): Promise<readonly string[]> {
    return this.settled(async () => {
      const section = sectionNamed('MYSQL USERS')
      const isMeant = (row: Row): boolean => row['username'] === username
      const fresh = this.memory.table('mysql_users').all().filter(isMeant)
      const rows = this.runtime.table('mysql_users').all()
      if (fresh.length === 0 && !rows.some(isMeant))
        throw new UsageError(`there is no user '${username}' in mysql_users`)
      const others = rows.filter((row) => !isMeant(row))
      return this.enforce(this.source, new Map([[section, new Map([['mysql_users', [...others, ...fresh]]])]]))
    })
  }

  /** SAVE ... FROM RUNTIME. */
  saveToMemory(name: SectionName): Promise<void> {
    return this.exclusively(async () => {
      const section = sectionNamed(name)
      const rows = new Map(this.runtime.rowsOf(section))
      // Servers are saved where they are, as ProxySQL does.
      if (name === 'MYSQL SERVERS' && this.target !== null) {
        rows.set(
          'mysql_servers',
          this.runtimeServers().map(({ row }) => row),
        )
      }
      this.memory.replace(section, rows)
    })
  }

  /**
   * SAVE ... TO DISK. Rejects with the system's error, or a UsageError for what no start would take; the disk is as it was
   * then.
   */
  saveToDisk(name: SectionName): Promise<void> {
    return this.exclusively(() => this.persist([sectionNamed(name)], (section) => this.memory.rowsOf(section)))
  }

  /** LOAD ... FROM DISK. Rejects with a UsageError when nothing was saved. */
  loadFromDisk(name: SectionName): Promise<void> {
    return this.exclusively(async () => {
      if (!this.saved.has(name)) {
        throw new UsageError(`${name} has not been saved to disk; expected SAVE ${name} TO DISK before`)
      }
      this.memory.replace(sectionNamed(name), this.disk.rowsOf(sectionNamed(name)))
    })
  }

  /** LOAD ... FROM CONFIG. Rejects with a UsageError when the file has a mistake, wherever. */
  loadFromFile(name: SectionName): Promise<void> {
    return this.exclusively(async () => {
      const source = readConfigSource(this.source.path, this.env)
      const { file } = buildConfig(source, this.env)
      const section = sectionNamed(name)
      this.memory.replace(section, section.toRows(file, fileValues(source)))
      this.fileHashes.set(name, hashOfSection(section, fileValues(source)))
    })
  }

  /**
   * Reads the file again: sections that were edited since it was read last go to memory and runtime, others stay as they
   * are. Certificates are read again in any case. Rejects with a UsageError, nothing changed.
   * @returns warnings, and the names of the sections that the file has changed
   */
  reload(): Promise<{ readonly warnings: readonly string[]; readonly changed: readonly SectionName[] }> {
    let changed: SectionName[] = []
    return this.settled(async () => {
      const source = readConfigSource(this.source.path, this.env)
      const built = buildConfig(source, this.env)
      const hashes = new Map(SECTIONS.map((section) => [section.name, hashOfSection(section, fileValues(source))]))
      const edited = SECTIONS.filter(({ name }) => hashes.get(name) !== this.fileHashes.get(name))
      changed = edited.map(({ name }) => name)
      const rows = new Map(edited.map((section) => [section, section.toRows(built.file, fileValues(source))]))
      const applied = await this.enforce(source, rows, true)
      for (const [section, own] of rows) this.memory.replace(section, own)
      this.source = source
      for (const [name, hash] of hashes) this.fileHashes.set(name, hash)
      return { ...applied, warnings: [...built.config.warnings, ...applied.warnings] }
    }).then((warnings) => ({ warnings, changed }))
  }

  /**
   * Sets the status of a server in memory and runtime, wherever it stands there, and changes nothing else.
   * @returns null when there is no such server
   */
  setServerStatus(host: string, port: number, status: ServerStatus): Promise<readonly string[] | null> {
    const isMeant = (row: Row): boolean => row['hostname'] === host && Number(row['port']) === port
    const withStatus = (row: Row): Row => (isMeant(row) ? { ...row, status } : row)
    let found = false
    return this.settled(async () => {
      const section = sectionNamed('MYSQL SERVERS')
      const rows = new Map(this.runtime.rowsOf(section))
      const servers = rows.get('mysql_servers') ?? []
      found = servers.some(isMeant)
      if (!found) return NOTHING
      rows.set('mysql_servers', servers.map(withStatus))
      const applied = await this.enforce(this.source, new Map([[section, rows]]))
      const memory = this.memory.table('mysql_servers')
      memory.apply(
        [...memory.entries()]
          .filter(([, row]) => isMeant(row))
          .map(([rowid, row]) => ({ rowid, row: withStatus(row) })),
      )
      return applied
    }).then((warnings) => (found ? warnings : null))
  }

  /** Makes rows the runtime's; `anew`: also where they are the same, since files that they name may be others. */
  private async enforce(
    source: ConfigSource,
    changes: ReadonlyMap<Section, SectionRows>,
    anew = false,
  ): Promise<Applied> {
    const real = [...changes].filter(([section, rows]) => !sameRows(rows, this.runtime.rowsOf(section)))
    if (real.length === 0 && !anew) return NOTHING
    const values = new Map(this.runtimeValues)
    if (anew) for (const section of SECTIONS) values.set(section, valuesOf(section, this.runtime.rowsOf(section)))
    for (const [section, rows] of real) values.set(section, valuesOf(section, rows))
    const built = buildFrom(source, values, this.env)
    const applied = (await this.target?.apply(built.config)) ?? NOTHING
    this.built = built
    this.runtimeValues = values
    for (const [section, rows] of real) {
      this.runtime.replace(section, completedRows(section, rows, built))
      const { version } = this.versionOf(section.name)
      this.versions.set(section.name, { version: version + 1, epoch: nowSeconds() })
    }
    return { ...applied, warnings: [...built.config.warnings, ...applied.warnings] }
  }

  /** Changes are made one by one; the workers' word is awaited when the next one may begin. */
  private async settled(change: () => Promise<Applied>): Promise<readonly string[]> {
    const { warnings, late } = await this.exclusively(change)
    const numbers = await late
    const one = numbers.length === 1
    return numbers.length === 0
      ? warnings
      : [...warnings, `worker${one ? '' : 's'} ${numbers.join(', ')} did not answer in time and will follow later`]
  }

  private async persist(sections: readonly Section[], rowsOf: (section: Section) => SectionRows): Promise<void> {
    const next = new Map(this.saved)
    for (const section of sections) {
      const rows = rowsOf(section)
      buildFrom(this.source, new Map(this.runtimeValues).set(section, valuesOf(section, rows)), this.env)
      next.set(section.name, {
        savedAt: Date.now(),
        fileHash: this.fileHashes.get(section.name) as string,
        rows: mapRows(rows, withoutAdminPasswords),
      })
    }
    await writeDisk(this.diskFile, next)
    for (const section of sections) {
      const saved = next.get(section.name) as SavedSection
      this.saved.set(section.name, saved)
      this.disk.replace(section, saved.rows)
    }
  }
}

/** A variable without a row has its default, and the runtime shows it. */
function completedRows(section: Section, rows: SectionRows, built: BuiltConfig): SectionRows {
  const own = rows.get(VARIABLES_TABLE)
  if (own === undefined) return rows
  const given = new Map(own.map((row) => [row['variable_name'], row]))
  const all = section.toRows(built.file, {}).get(VARIABLES_TABLE) ?? []
  return new Map([[VARIABLES_TABLE, all.map((row) => given.get(row['variable_name']) ?? row)]])
}

/** Checks one variable by itself, with the checks of the place where it stands in the file. */
function checkVariable(row: Row): void {
  const section = sectionOfRow(VARIABLES_TABLE, row)
  const name = String(row['variable_name'])
  if (section === undefined) {
    throw new UsageError(`global_variables ('${name}'): unknown variable; expected a name of mysql-... or admin-...`)
  }
  const values = valuesOf(section, new Map([[VARIABLES_TABLE, [row]]]))
  checkKeys(new RowsDocument(NO_FILE, new Map([[section, values]])))
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
