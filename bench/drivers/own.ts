import { setTimeout as pause } from 'node:timers/promises'
import type { LoadResult, LoadSpec } from '../load/messages.js'
import type { GeneratorProcesses } from '../load/processes.js'
import type { Driver } from '../rounds.js'
import { Histogram, type PackedHistogram } from '../stats/histogram.js'
import { cpuMicrosOf } from '../system/processes.js'
import type { Target } from '../targets/target.js'

export interface OwnDriverOptions {
  readonly generators: GeneratorProcesses
  /** All but the address. */
  readonly spec: Omit<LoadSpec, 'host' | 'port'>
  readonly warmupSeconds: number
}

/** Measures with the bench's own load generators. Each round has its own connections and a warm-up that is not counted. */
export function ownDriver({ generators, spec, warmupSeconds }: OwnDriverOptions): Driver {
  return async (target, round, seconds) => {
    try {
      await generators.open({ ...spec, host: target.host, port: target.port, seed: spec.seed + round })
      return await measure(generators, target, warmupSeconds, seconds)
    } catch (error) {
      throw new Error(`${spec.workload} on ${target.name}: ${(error as Error).message}`)
    }
  }
}

async function measure(generators: GeneratorProcesses, target: Target, warmupSeconds: number, seconds: number) {
  const over = new AbortController()
  const failure = generators.failure(over.signal)
  try {
    await Promise.race([pause(warmupSeconds * 1000), failure])
    generators.mark()
    const cpuBefore = cpuMicrosOf(target.pids)
    await Promise.race([pause(seconds * 1000), failure])
    const cpuAfter = cpuMicrosOf(target.pids)
    const results = await Promise.race([generators.stop(), failure])
    return combine(results, target.pids.length === 0 ? null : cpuAfter - cpuBefore)
  } finally {
    over.abort()
  }
}

function combine(results: readonly LoadResult[], proxyCpuMicros: number | null) {
  const sum = (of: (result: LoadResult) => number) => results.reduce((total, result) => total + of(result), 0)
  return {
    seconds: sum(({ seconds }) => seconds) / results.length,
    operations: sum(({ operations }) => operations),
    queries: sum(({ queries }) => queries),
    bytesReceived: sum(({ bytesReceived }) => bytesReceived),
    errors: sum(({ errors }) => errors),
    firstError: results.find(({ firstError }) => firstError !== null)?.firstError ?? null,
    restarts: sum(({ restarts }) => restarts),
    latency: merged(results.map(({ latency }) => latency)),
    lateness: merged(results.map(({ lateness }) => lateness)),
    proxyCpuMicros,
    generatorCpuMicros: sum(({ cpuMicros }) => cpuMicros),
  }
}

function merged(histograms: readonly PackedHistogram[]): PackedHistogram {
  const all = new Histogram()
  for (const histogram of histograms) all.merge(Histogram.unpack(histogram))
  return all.pack()
}
