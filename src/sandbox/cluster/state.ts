/** The file in the sandbox folder that tells any process what belongs to the cluster. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode, SandboxError } from '../errors.js'
import type { ProcessRef } from '../proc.js'
import type { Engine, ServerBinaries, ServerRole } from '../types.js'

export interface ServerRecord {
  name: string
  role: ServerRole
  serverId: number
  port: number
  socket: string
  /** Absent while it has never run; of a stopped server the last one. */
  process?: ProcessRef
}

export interface ClusterState {
  format: 1
  dir: string
  engine: Engine
  /** Folder of the sockets when the sandbox folder's own path is too long for one. */
  socketDir?: string
  semiSync: boolean
  /** Replication by binary log coordinates, without GTIDs. */
  byCoordinates?: boolean
  serverOptions: readonly string[]
  binaries: ServerBinaries
  servers: ServerRecord[]
  /** False until the cluster has come up as a whole. */
  isComplete: boolean
}

const FILE = 'sandbox.json'

export function writeState(state: ClusterState): void {
  const path = join(state.dir, FILE)
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(temporary, path)
}

/**
 * @returns undefined when there is no cluster in the folder
 * @throws SandboxError when the file is there but is not what this version writes
 */
export function readState(dir: string): ClusterState | undefined {
  const path = join(dir, FILE)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
  const state = parse(text)
  if (state?.format !== 1 || state.dir !== dir || !Array.isArray(state.servers)) {
    throw new SandboxError(`${path} is damaged or was written by another version; remove ${dir} by hand`)
  }
  return state
}

function parse(text: string): ClusterState | undefined {
  try {
    return JSON.parse(text) as ClusterState
  } catch {
    return undefined
  }
}
