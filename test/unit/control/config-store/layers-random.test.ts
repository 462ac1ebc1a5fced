import { expect, it } from 'vitest'
import type { Row } from '../../../../src/control/config-store/rows.js'
import type { SectionName } from '../../../../src/control/config-store/section.js'
import type { ConfigStore } from '../../../../src/control/config-store/store.js'
import { UsageError } from '../../../../src/shared/errors.js'
import { Random } from '../../../fuzz/random.js'
import { edit, StoreFixture } from './store-fixture.js'

/** SLUICE_PROPERTY_SEED: the seed that a run has printed. */
const SEED = process.env['SLUICE_PROPERTY_SEED'] ?? String(Date.now())
const RUNS = 10
const STEPS = 40

/**
 * What the layers are to hold: of each section one text for memory, runtime and disk, and what the file says, what it said
 * when it was read last, and what it said when the section was saved.
 */
interface Model {
  memory: string
  runtime: string
  disk: string | null
  file: string
  lastRead: string
  atSave: string
}

/** How a section's contents are made, and told as a text. */
interface Kind {
  readonly section: SectionName
  /** Makes the section's rows those of `text`; `broken`: such that no runtime takes them. */
  fill(store: ConfigStore, text: string, broken: boolean): Promise<void>
  read(store: ConfigStore, layer: 'memory' | 'runtime' | 'disk'): string
  /** The section in the file. */
  yaml(text: string): string
}

const BROKEN = 'broken'

const KINDS: readonly Kind[] = [
  {
    section: 'MYSQL SERVERS',
    fill: (store, text, broken) =>
      edit(store, 'mysql_servers', ([first]) =>
        text
          .split('')
          .map(
            (weight, at): Row => ({ ...first, hostname: `db${at}`, weight: Number(weight), gtid_port: broken ? 1 : 0 }),
          ),
      ),
    read: (store, layer) => {
      const rows = store[layer].table('mysql_servers').all()
      return rows.map((row) => row['weight']).join('') + (rows.some((row) => row['gtid_port'] === 1) ? BROKEN : '')
    },
    yaml: (text) =>
      `servers: [ ${text
        .split('')
        .map((weight, at) => `{ host: db${at}, weight: ${weight} }`)
        .join(', ')} ]`,
  },
  {
    section: 'MYSQL USERS',
    fill: (store, text, broken) =>
      edit(store, 'mysql_users', ([first]) =>
        text.split('').map(
          (digit, at): Row => ({
            ...first,
            username: `user${at}`,
            max_connections: Number(digit),
            fast_forward: broken ? 1 : 0,
          }),
        ),
      ),
    read: (store, layer) => {
      const rows = store[layer].table('mysql_users').all()
      return (
        rows.map((row) => row['max_connections']).join('') +
        (rows.some((row) => row['fast_forward'] === 1) ? BROKEN : '')
      )
    },
    yaml: (text) =>
      `users: [ ${text
        .split('')
        .map((digit, at) => `{ name: user${at}, password: x, max_connections: ${digit} }`)
        .join(', ')} ]`,
  },
  {
    section: 'MYSQL VARIABLES',
    // A value that one variable may have and that does not fit another: certificate without key.
    fill: async (store, text, broken) => {
      await store.setVariable('mysql-max_connections', text)
      await store.setVariable('mysql-tls_cert', broken ? 'cert.pem' : '')
    },
    read: (store, layer) => {
      const rows = new Map(
        store[layer]
          .table('global_variables')
          .all()
          .map((row) => [row['variable_name'], row['variable_value']]),
      )
      return String(rows.get('mysql-max_connections') ?? '') + (rows.get('mysql-tls_cert') === 'cert.pem' ? BROKEN : '')
    },
    yaml: (text) => `limits: { max_connections: ${text} }`,
  },
]

const isBroken = (text: string): boolean => text.endsWith(BROKEN)

class World {
  readonly fixture = new StoreFixture()
  readonly random: Random
  readonly models = new Map<Kind, Model>()
  readonly steps: string[] = []
  store: ConfigStore

  constructor(seed: string) {
    this.random = new Random(seed)
    for (const kind of KINDS) {
      const file = this.contents()
      this.models.set(kind, { memory: file, runtime: file, disk: null, file, lastRead: file, atSave: '' })
    }
    this.writeFile()
    this.store = this.fixture.open()
  }

  contents(): string {
    return String(1 + this.random.below(9999))
  }

  writeFile(): void {
    this.fixture.write(KINDS.map((kind) => kind.yaml(this.models.get(kind)!.file)).join('\n'))
  }

  async step(): Promise<void> {
    const kind = this.random.pick(KINDS)
    const model = this.models.get(kind)!
    const name = this.random.pick(Object.keys(this.actions) as (keyof World['actions'])[])
    this.steps.push(`${name} ${kind.section}`)
    await this.actions[name](kind, model)
    for (const [other, { memory, runtime, disk }] of this.models) {
      const found = (['memory', 'runtime', 'disk'] as const).map((layer) => other.read(this.store, layer))
      expect(found, other.section).toEqual([memory, runtime, disk ?? ''])
    }
    const { limits, servers, users } = this.store.config
    const inForce = [
      servers.map(({ weight }) => weight).join(''),
      users.map((user) => user.maxConnections).join(''),
      String(limits.maxConnections),
    ]
    expect(inForce).toEqual(KINDS.map((one) => this.models.get(one)!.runtime))
  }

  readonly actions = {
    edit: async (kind: Kind, model: Model) => {
      const broken = this.random.once(4)
      const text = this.contents()
      await kind.fill(this.store, text, broken)
      model.memory = text + (broken ? BROKEN : '')
    },
    load: async (kind: Kind, model: Model) => {
      const error = await this.store.loadToRuntime(kind.section).then(
        () => null,
        (reason: Error) => reason,
      )
      if (isBroken(model.memory)) expect(error).toBeInstanceOf(UsageError)
      else {
        expect(error).toBeNull()
        model.runtime = model.memory
      }
    },
    loadWhileFilesFail: async (kind: Kind, model: Model) => {
      this.fixture.refusal = new UsageError('files cannot be used')
      const error = await this.store.loadToRuntime(kind.section).catch((reason: Error) => reason)
      this.fixture.refusal = null
      if (model.memory !== model.runtime) expect(error).toBeInstanceOf(UsageError)
    },
    saveToMemory: async (kind: Kind, model: Model) => {
      await this.store.saveToMemory(kind.section)
      model.memory = model.runtime
    },
    saveToDisk: async (kind: Kind, model: Model) => {
      const error = await this.store.saveToDisk(kind.section).then(
        () => null,
        (reason: Error) => reason,
      )
      // What no runtime takes would stop the next start.
      if (isBroken(model.memory)) expect(error).toBeInstanceOf(UsageError)
      else {
        expect(error).toBeNull()
        model.disk = model.memory
        model.atSave = model.lastRead
      }
    },
    loadFromDisk: async (kind: Kind, model: Model) => {
      const error = await this.store.loadFromDisk(kind.section).catch((reason: Error) => reason)
      if (model.disk === null) expect(error).toBeInstanceOf(UsageError)
      else model.memory = model.disk
    },
    loadFromFile: async (kind: Kind, model: Model) => {
      await this.store.loadFromFile(kind.section)
      model.memory = model.lastRead = model.file
    },
    editFile: async (_kind: Kind, model: Model) => {
      model.file = this.contents()
      this.writeFile()
    },
    readFileAgain: async () => {
      await this.store.reload()
      for (const model of this.models.values()) {
        if (model.lastRead !== model.file) model.memory = model.runtime = model.lastRead = model.file
      }
    },
    startAgain: async () => {
      const next = (model: Model): string =>
        model.disk !== null && model.atSave === model.file ? model.disk : model.file
      this.store = this.fixture.open()
      for (const model of this.models.values()) {
        model.memory = model.runtime = next(model)
        model.lastRead = model.file
      }
    },
  }
}

it('any sequence of edits, loads, saves and starts leaves the layers as a simple model says', {
  timeout: 120_000,
}, async () => {
  console.log(`seed ${SEED}`)
  for (let run = 0; run < RUNS; run++) {
    const world = new World(`${SEED} ${run}`)
    try {
      for (let step = 0; step < STEPS; step++) await world.step()
    } catch (error) {
      throw new Error(`seed ${SEED}, run ${run}: ${world.steps.join(', ')}: ${(error as Error).message}`, {
        cause: error,
      })
    } finally {
      world.fixture.remove()
    }
  }
})
