import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it, vi } from 'vitest'
import { readDisk } from '../../src/control/config-store/disk-file.js'
import { ConfigStore } from '../../src/control/config-store/store.js'
import { Random } from '../fuzz/random.js'

/** SLUICE_PROPERTY_SEED: the seed that a run has printed. */
const SEED = process.env['SLUICE_PROPERTY_SEED'] ?? String(Date.now())
const KILLS = 15
const A_BUSY_MACHINE = { timeout: 30_000, interval: 1 }
const STORE = fileURLToPath(new URL('../../dist/src/control/config-store/store.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'sluice-save-'))
const configPath = join(folder, 'sluice.yaml')

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Saves one configuration of 400 servers after the other, all of whose weights are its number, and tells each that is on disk. */
const SAVER = `
import { ConfigStore } from ${JSON.stringify(STORE)}
const store = new ConfigStore(process.argv[1], {})
const table = store.memory.table('mysql_servers')
const [first] = table.all()
let number = Number(first.weight)
for (;;) {
  number++
  const changes = Array.from({ length: 400 }, (_, at) => ({ rowid: at + 1, row: { ...first, hostname: 'db' + at, weight: number } }))
  await store.exclusively(async () => store.applyChanges('main', 'mysql_servers', changes))
  process.stdout.write('saving ' + number + '\\n')
  await store.saveToDisk('MYSQL SERVERS')
  process.stdout.write('saved ' + number + '\\n')
}
`

function numberIn(output: string, word: string): number {
  return Number([...output.matchAll(new RegExp(`^${word} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? 0)
}

it('whoever is killed while it saves leaves the old configuration or the new one, whole', {
  timeout: 240_000,
}, async () => {
  console.log(`seed ${SEED}`)
  const random = new Random(SEED)
  writeFileSync(configPath, 'datadir: data\nservers: [ { host: db0, weight: 0 } ]', { mode: 0o600 })
  let before = 0
  for (let round = 0; round < KILLS; round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', SAVER, configPath], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
    // Before the first save is through there is nothing on disk to look at.
    const begins = before === 0 ? 2 : 1 + random.below(5)
    await vi.waitFor(() => expect(numberIn(output, 'saving')).toBeGreaterThanOrEqual(before + begins), A_BUSY_MACHINE)
    // Somewhere in the middle of a save, or of the next one.
    const until = performance.now() + random.fraction() * 25
    while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve))
    child.kill('SIGKILL')
    await exited

    const [path] = readdirSync(join(folder, 'data')).filter((name) => /^config-\w+\.json$/.test(name))
    const saved =
      readDisk(join(folder, 'data', path))
        .get('MYSQL SERVERS')
        ?.rows.get('mysql_servers') ?? []
    expect(saved).toHaveLength(400)
    const numbers = new Set(saved.map((row) => Number(row['weight'])))
    expect(numbers.size).toBe(1)
    const [number] = numbers
    expect(number).toBeGreaterThanOrEqual(Math.max(numberIn(output, 'saved'), before))
    expect(new ConfigStore(configPath, {}).config.servers.map(({ weight }) => weight)).toEqual(saved.map(() => number))
    before = number
  }
  expect(before).toBeGreaterThanOrEqual(KILLS)
})
