import { cpus, release, totalmem } from 'node:os'

/** What a reader has to know about the machine to place the numbers. No names, no addresses, no paths. */
export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
}

export function describeMachine(): Machine {
  const cores = cpus()
  return {
    cores: cores.length,
    cpu: (cores[0]?.model ?? '').trim() || 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release().match(/^\d+\.\d+(\.\d+)?/)?.[0] ?? 'unknown',
    node: process.version,
  }
}
