import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../../../src/control/config/config-schema.js'
import type { Row } from '../../../../src/control/config-store/rows.js'
import { ConfigStore } from '../../../../src/control/config-store/store.js'
import type { ServerEntry } from '../../../../src/shared/snapshot.js'

/** A configuration file in a folder of its own, and stores that are opened on it, as by one start after the other. */
export class StoreFixture {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-store-'))
  readonly path = join(this.folder, 'sluice.yaml')
  /** Configurations that came into force, since the store was opened. */
  applied: Config[] = []
  /** What the next one is refused for. */
  refusal: Error | null = null
  late: readonly number[] = []

  write(text: string): void {
    writeFileSync(this.path, `datadir: data\n${text}`, { mode: 0o600 })
  }

  open(): ConfigStore {
    const store = new ConfigStore(this.path, {})
    this.applied = []
    store.attach({
      apply: async (config) => {
        if (this.refusal !== null) throw this.refusal
        this.applied.push(config)
        return { warnings: [], late: Promise.resolve(this.late) }
      },
      servers: () => (this.applied.at(-1) ?? store.config).servers as unknown as readonly ServerEntry[],
    })
    return store
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Does what an INSERT, UPDATE or DELETE of rows would do. */
export function edit(store: ConfigStore, table: string, change: (rows: Row[]) => Row[]): Promise<void> {
  return store.exclusively(async () => {
    const before = [...store.memory.table(table).entries()]
    const after = change(before.map(([, row]) => row))
    const gone = before.slice(after.length).map(([rowid]) => ({ rowid, row: null }))
    const rest = after.map((row, index) => ({ rowid: before[index]?.[0] ?? index + 1, row }))
    store.applyChanges('main', table, [...gone, ...rest])
  })
}
