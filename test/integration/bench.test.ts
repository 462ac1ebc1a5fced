import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadTables } from '../../bench/data/load.js'
import { SCHEMA } from '../../bench/data/tables.js'
import { Generator } from '../../bench/load/generator.js'
import type { LoadSpec } from '../../bench/load/messages.js'
import type { Report } from '../../bench/report/report.js'
import { Histogram } from '../../bench/stats/histogram.js'
import { WORKLOADS } from '../../bench/workloads/index.js'
import type { Cluster } from '../../src/sandbox/index.js'
import { sharedCluster } from '../helpers/cluster.js'

/** The bench forks processes of its own, so it runs as it is built: `npm test` builds first. */
const PROGRAM = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url))
const ROWS = 300

let cluster: Cluster
let results: string

beforeAll(async () => {
  if (!existsSync(PROGRAM))
    throw new Error('the bench is not built: run the tests by npm test, or npm run build before')
  cluster = await sharedCluster('mysql')
  results = mkdtempSync(join(tmpdir(), 'sluice-bench-test-'))
})

afterAll(async () => {
  rmSync(results, { recursive: true, force: true })
  await cluster.execute(cluster.primary, `DROP DATABASE IF EXISTS ${SCHEMA}`)
})

async function runBench(...args: string[]): Promise<{ code: number | null; output: string; errors: string }> {
  const server = ['--server', `127.0.0.1:${cluster.primary.port}`, '--rows', String(ROWS), '--out', results]
  const child = spawn(process.execPath, [PROGRAM, ...args, ...server], { stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { output: '', errors: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.errors += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...texts }
}

function reportOf(workload: string): Report {
  const file = readdirSync(results).find((name) => name.endsWith(`-${workload}.json`))
  return JSON.parse(readFileSync(join(results, file!), 'utf8'))
}

describe('a run of the bench', { timeout: 120_000 }, () => {
  it('measures the server and the control in each round, and writes what it prints', async () => {
    const args = ['--targets', 'direct,raw', '--rounds', '2', '--seconds', '0.5', '--warmup', '0.2']
    const { code, output, errors } = await runBench('point-select', '--connections', '8', '--seed', '5', ...args)
    expect(errors).toContain('seed 5')
    expect(code, errors).toBe(0)
    expect(output).toMatch(/^direct +[\d,]+ /m)
    expect(output).toMatch(/^raw +[\d,]+ /m)

    const { targets, measurements, control } = reportOf('point-select')
    expect(control).toBe('raw')
    expect(measurements.map(({ target, round }) => `${target} ${round}`).sort()).toEqual([
      'direct 1',
      'direct 2',
      'raw 1',
      'raw 2',
    ])
    for (const { operations, queries, errors: failed, bytesReceived, latency } of measurements) {
      expect(failed).toBe(0)
      expect(queries).toBeGreaterThan(100)
      expect(Histogram.unpack(latency).total).toBe(operations)
      // A point select's answer: count, definition, a row of 119 characters, end.
      expect(bytesReceived / queries).toBeGreaterThan(150)
      expect(bytesReceived / queries).toBeLessThan(300)
    }
    const [direct, raw] = targets
    expect(direct.proxyCpu).toBeNull()
    expect(raw.proxyCpu?.median).toBeGreaterThan(1)
    expect(raw.throughputRatio).toEqual({ median: 1, min: 1, max: 1 })
  })

  it('starts Sluice by itself, compares it with the control and ends it', async () => {
    const args = [
      '--targets',
      'raw,sluice',
      '--rounds',
      '1',
      '--seconds',
      '0.5',
      '--warmup',
      '0.2',
      '--label',
      'sluice',
    ]
    const { code, errors } = await runBench('point-select', '--connections', '8', ...args)
    expect(code, errors).toBe(0)
    const [, sluice] = reportOf('point-select-sluice').targets
    expect(sluice.errors).toBe(0)
    expect(sluice.throughputRatio?.median).toBeGreaterThan(0)
    expect(sluice.proxyCpuRatio?.median).toBeGreaterThan(0)
  })

  it('ends with the error of the server when one is met', async () => {
    const { code, errors } = await runBench('--targets', 'direct', '--password', 'wrong', '--no-write')
    expect(code).toBe(1)
    expect(errors).toMatch(/bench: .*Access denied for user 'app'/)
  })

  it('refuses what it does not know before anything is started', async () => {
    const { code, errors } = await runBench('no-such-workload')
    expect(code).not.toBe(0)
    expect(errors).toContain('unknown workload no-such-workload')
  })

  it('shows that a forwarder needs little more memory, however large the result', async () => {
    const sizes = ['--mebibytes', '64', '--insert-mebibytes', '8', '--no-write']
    const { code, output, errors } = await runBench('memory', '--targets', 'raw', ...sizes)
    expect(code, errors).toBe(0)
    const rows = output.split('\n').filter((line) => line.includes('| raw'))
    expect(rows.map((row) => row.split('|')[1].trim())).toEqual([
      '64 MiB in small rows, fast client',
      '64 MiB in small rows, slow client',
      '64 MiB in rows of 1 MiB, fast client',
      '64 MiB in rows of 1 MiB, slow client',
      'INSERT of 8 MiB',
    ])
    for (const row of rows) expect(Number(row.split('|')[5]), row).toBeLessThan(64)
  })
})

describe('the load generator', () => {
  const failures: string[] = []

  function specOf(workload: string, more: Partial<LoadSpec> = {}): LoadSpec {
    const { user, password } = cluster.accounts.app
    const { host, port } = cluster.primary
    const account = { host, port, user, password, database: SCHEMA }
    return { workload, ...account, connections: 6, rate: null, rows: ROWS, seed: 1, toleratesErrors: false, ...more }
  }

  async function run(spec: LoadSpec, until: (generator: Generator) => Promise<void>) {
    const generator = new Generator(spec, (message) => failures.push(message))
    await generator.open()
    generator.mark()
    await until(generator)
    return generator.stop()
  }

  const aWhile = () => new Promise<void>((resolve) => setTimeout(resolve, 400))

  beforeAll(async () => {
    const { accounts, primary } = cluster
    await loadTables(primary, accounts.app, ['sbtest1', 'customers', 'orders'], ROWS)
  })

  it.each(WORKLOADS.map(({ name }) => name))('runs %s without an error', async (name) => {
    const result = await run(specOf(name), aWhile)
    expect(failures).toEqual([])
    expect(result.errors).toBe(0)
    expect(result.operations).toBeGreaterThan(0)
    expect(result.queries).toBeGreaterThanOrEqual(result.operations)
    expect(result.bytesReceived).toBeGreaterThan(0)
    expect(Histogram.unpack(result.latency).total).toBe(result.operations)
  })

  it('sends as many queries as the server counts', async () => {
    const questions = async () => {
      const [row] = await cluster.execute(cluster.primary, "SHOW GLOBAL STATUS LIKE 'Com_select'")
      return Number(row['Value'])
    }
    const before = await questions()
    const result = await run(specOf('point-select', { rate: 200 }), aWhile)
    const counted = (await questions()) - before
    // Other tests use the server too, and what is under way at the ends counts on one side only.
    expect(counted).toBeGreaterThanOrEqual(result.queries)
  })

  it('keeps to the rate it was given', async () => {
    const result = await run(specOf('point-select', { rate: 500 }), aWhile)
    const rate = result.operations / result.seconds
    expect(rate).toBeGreaterThan(300)
    expect(rate).toBeLessThan(700)
    expect(Histogram.unpack(result.lateness).total).toBeGreaterThan(0)
  })

  it('counts errors and goes on where they are tolerated', async () => {
    const result = await run(specOf('point-select', { database: 'test', toleratesErrors: true }), aWhile)
    expect(result.errors).toBeGreaterThan(10)
    expect(result.firstError).toMatch(/sbtest1' doesn't exist \(1146\)/)
  })

  it('stops at the first error otherwise, and says which', async () => {
    const failed = new Promise<string>((resolve) => {
      const generator = new Generator(specOf('point-select', { database: 'test' }), resolve)
      void generator.open()
    })
    expect(await failed).toMatch(/doesn't exist \(1146\)/)
  })

  it('comes back after its connections were killed, where errors are tolerated', async () => {
    const kill = async () => {
      const rows = await cluster.execute<{ id: number }[]>(
        cluster.primary,
        `SELECT id FROM information_schema.processlist WHERE db = '${SCHEMA}' AND user = 'app'`,
      )
      for (const { id } of rows) await cluster.execute(cluster.primary, `KILL ${id}`).catch(() => {})
    }
    let generator: Generator | undefined
    const result = await run(specOf('point-select', { toleratesErrors: true }), async (running) => {
      generator = running
      await kill()
      generator.mark()
      await aWhile()
    })
    expect(result.queries).toBeGreaterThan(100)
  })
})
