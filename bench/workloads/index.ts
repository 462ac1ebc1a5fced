import { fewWrites, fewWritesCausal } from './few-writes.js'
import { alikeStates, differentStates } from './states.js'
import { bulk, pointSelect, preparedPointSelect, readWrite } from './sysbench-like.js'
import { connectPerQuery, login, mixed } from './tutorial.js'
import type { Workload } from './workload.js'

export type { DataShape, Group, Script, Workload } from './workload.js'

export const WORKLOADS: readonly Workload[] = [
  pointSelect,
  preparedPointSelect,
  readWrite,
  mixed,
  connectPerQuery,
  login,
  bulk,
  fewWrites,
  fewWritesCausal,
  alikeStates,
  differentStates,
]

/** @throws Error that names the known ones */
export function workloadByName(name: string): Workload {
  const found = WORKLOADS.find((workload) => workload.name === name)
  if (found !== undefined) return found
  throw new Error(`unknown workload ${name}; known: ${WORKLOADS.map((workload) => workload.name).join(', ')}`)
}
