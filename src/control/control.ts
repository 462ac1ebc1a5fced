import type { Logger } from '../shared/log.js'
import { startAdmin } from './admin/server.js'
import { claimAddresses } from './claim-addresses.js'
import { formatListenAddress } from './config/addresses.js'
import type { Config } from './config/config-schema.js'
import { ConfigStore } from './config-store/store.js'
import { ControlPlane, type WorkerEntry } from './control-plane.js'
import { startApi } from './http/api.js'
import { startMetrics } from './metrics/metrics.js'
import { loadTls } from './tls.js'
import type { RunningService, Shutdown } from './view.js'

export interface ControlOptions {
  readonly configPath: string
  readonly log: Logger
  /** What workers run: this process's own file and arguments unless given. */
  readonly entry?: WorkerEntry
}

/**
 * Runs the proxy until SIGTERM or SIGINT; resolves with the exit status. Rejects with a UsageError, nothing left
 * running, when it cannot start. The first signal drains, a second one ends everything at once; SIGHUP reads the
 * configuration again.
 */
export async function runControlPlane({ configPath, log, entry }: ControlOptions): Promise<number> {
  const store = new ConfigStore(configPath, process.env)
  const { config } = store
  for (const line of store.startReport) log.info(line)
  for (const warning of config.warnings) log.warn(warning)
  const takeOver = await claimAddresses(config, log)
  const tls = await loadTls(config, log)
  const ownEntry: WorkerEntry = { file: process.argv[1], args: process.argv.slice(2) }
  const plane = new ControlPlane(store, tls, entry ?? ownEntry, log)
  const services: RunningService[] = []
  // Before anything runs: a signal during the start must not leave workers behind.
  const stop = watchSignals(configPath, plane, log)
  try {
    if (config.admin !== null) services.push(await startAdmin(plane, log))
    if (config.metrics !== null) services.push(await startMetrics(plane, log))
    if (config.api !== null) services.push(await startApi(plane, log))
    await plane.start(takeOver)
    announce(config, plane, services, log)
    return await stop.requested
  } catch (error) {
    if (stop.wasAsked()) return await stop.requested
    await plane.kill()
    throw error
  } finally {
    stop.release()
    await Promise.all(services.map((service) => service.close()))
  }
}

/** `requested` resolves with the exit status when everything has ended. */
function watchSignals(configPath: string, plane: ControlPlane, log: Logger) {
  let finish: (status: number) => void = () => {}
  const requested = new Promise<number>((resolve) => {
    finish = resolve
  })
  let asked: Shutdown | null = null
  const end = (how: Shutdown, who: string): void => {
    const before = asked
    asked = how
    if (how === 'kill' || before === 'drain') {
      log.warn(`${who}: ending at once`)
      void plane.kill().then(() => finish(before === null ? 0 : 1))
      return
    }
    const limit = how === 'slow' ? 'as long as they take' : `within ${plane.config.limits.shutdownTimeoutMs / 1000} s`
    log.info(`${who}: no new clients; statements and transactions may finish ${limit}`)
    void plane.drain(how === 'slow').then(() => finish(0))
  }
  const stop = (signal: NodeJS.Signals): void => end('drain', signal)
  plane.onShutdown = end
  const reload = async (): Promise<void> => {
    try {
      const { warnings, changed } = await plane.store.reload()
      for (const warning of warnings) log.warn(warning)
      const what = changed.length === 0 ? 'no section was edited' : changed.join(', ')
      log.info(`configuration read again from ${configPath}: ${what}`)
      plane.note({ kind: 'config', what: `configuration read again from ${configPath}`, why: what, who: 'SIGHUP' })
    } catch (error) {
      const why = (error as Error).message
      log.error(`configuration not changed: ${why}`)
      plane.note({ kind: 'config', what: 'configuration not changed', why, who: 'SIGHUP' })
    }
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  const onHangup = (): void => void reload()
  process.on('SIGHUP', onHangup)
  const release = (): void => {
    process.off('SIGTERM', stop)
    process.off('SIGINT', stop)
    process.off('SIGHUP', onHangup)
  }
  return { requested, release, wasAsked: () => asked !== null }
}

function announce(config: Config, plane: ControlPlane, services: readonly RunningService[], log: Logger): void {
  const clients = config.listen.map(formatListenAddress).join(', ')
  const names = (['admin', 'metrics', 'api'] as const).filter((key) => config[key] !== null)
  const others = services.map((service, index) => `; ${names[index]} on ${service.address}`).join('')
  const { servers, greeting } = plane.snapshot()
  const ids = new Set(servers.map(({ id }) => id))
  const online = new Set(servers.filter(({ status }) => status === 'ONLINE').map(({ id }) => id))
  const workers = `${config.workers} worker${config.workers === 1 ? '' : 's'}`
  log.info(
    `ready: clients on ${clients}${others}; ${workers}; ${online.size} of ${ids.size} servers ONLINE, ` +
      `greeting as ${greeting.serverVersion}`,
  )
}
