import { setTimeout as delay } from 'node:timers/promises'
import { UsageError } from '../shared/errors.js'
import type { Logger } from '../shared/log.js'
import type { ListenAddress } from '../shared/snapshot.js'
import { checkListenAddress } from './check/listen-check.js'
import { formatListenAddress } from './config/addresses.js'
import type { Config } from './config/config-schema.js'
import { isSameProcess, type ProcessIdentity, readRunFile, runFilePath } from './run-file.js'

const RETRY_MS = 100
/** How long workers that an earlier start left behind may take to let go of their listeners. */
const LEFTOVERS_MS = 5000

/**
 * Makes sure, before anything is started, that every address of the configuration can be listened on; throws a
 * UsageError that names file, key and address. Workers whose parent died serve on until their place is taken.
 * @returns to be called right before workers are started: those from before are told to finish (SIGTERM), and their
 * addresses waited for
 */
export async function claimAddresses(config: Config, log: Logger): Promise<() => Promise<void>> {
  const leftovers = findLeftovers(config)
  if (leftovers.length === 0) await claim(config, 'listen', config.listen, 0)
  await claim(config, 'admin.listen', config.admin?.listen ?? [], 0)
  await claim(config, 'metrics.listen', config.metrics === null ? [] : [config.metrics.listen], 0)
  await claim(config, 'api.listen', config.api === null ? [] : [config.api.listen], 0)
  return async () => {
    if (leftovers.length === 0) return
    retire(leftovers, log)
    await claim(config, 'listen', config.listen, Date.now() + LEFTOVERS_MS)
  }
}

async function claim(config: Config, key: string, addresses: readonly ListenAddress[], until: number): Promise<void> {
  for (const address of addresses) {
    let problem = await checkListenAddress(address)
    while (problem?.inUse && Date.now() < until) {
      await delay(RETRY_MS)
      problem = await checkListenAddress(address)
    }
    if (problem !== null) {
      throw new UsageError(`${config.path}: ${key}: ${formatListenAddress(address)} ${problem.text}`)
    }
  }
}

/** Workers whose parent died. One that lives keeps its workers: then the addresses are simply in use. */
function findLeftovers(config: Config): readonly ProcessIdentity[] {
  const run = readRunFile(runFilePath(config.datadir, config.listen))
  return run === null || isSameProcess(run.parent) ? [] : run.workers.filter(isSameProcess)
}

function retire(leftovers: readonly ProcessIdentity[], log: Logger): void {
  const workers = leftovers.filter(isSameProcess)
  if (workers.length === 0) return
  const pids = workers.map((worker) => worker.pid)
  log.warn(
    { pids },
    `the last control plane died; its workers (pid ${pids.join(', ')}) are told to finish and to leave`,
  )
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGTERM')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
