import cluster from 'node:cluster'
import { monotonicMs } from '../shared/clock.js'
import { COMMIT_TIMES_ENV, CommitTimes } from '../shared/commit-times.js'
import { COUNTED_BY, type FromWorker, type ToWorker } from '../shared/ipc.js'
import { createLogger, type Logger } from '../shared/log.js'
import { NO_QUERY_RULES } from '../shared/query-rules.js'
import type { Snapshot } from '../shared/snapshot.js'
import type { CountedTable, WorkerTables } from '../shared/worker-tables.js'
import { tellRows } from './statistics/tell-rows.js'
import { addressText, Worker } from './worker.js'

const COUNTERS_MS = 1_000
/** A control plane that is there takes what a worker hands over sooner. */
const FAREWELL_MS = 1_000
const COUNTED_TABLES: readonly CountedTable[] = ['digests', 'errors']

/**
 * Runs this process as a worker: waits for the first snapshot, listens, and follows what the control plane says. When the
 * control plane is gone it goes on with what it was told last; SIGTERM then makes it drain.
 */
export function runWorker(): void {
  const number = Number(process.env['SLUICE_WORKER_NUMBER'] ?? 1)
  const log = createLogger('worker', { worker: number })
  let worker: Worker | null = null
  /** It has begun to listen, or has found that it cannot. */
  let isStarted = false
  let reporter: NodeJS.Timeout | null = null

  const commits = openCommitTimes(process.env[COMMIT_TIMES_ENV] ?? '', log)

  const send = (message: FromWorker): void => {
    // An orphan has nobody to tell; a send that fails says the same.
    if (process.connected) process.send!(message, undefined, undefined, () => {})
  }
  const tellCounters = (): void => {
    if (worker === null) return
    send({ type: 'counters', counters: worker.report() })
    worker.reportRuleHits()
  }
  const report = (): void => {
    tellCounters()
    worker?.shares.tell()
  }

  /** Waits for the query rules that it names, or for the first shares of connections. */
  let waiting: Snapshot | null = null
  let rules = NO_QUERY_RULES
  let shares: Extract<ToWorker, { type: 'server-shares' }> | null = null
  const take = (snapshot: Snapshot): void => {
    waiting = snapshot
    // They come behind it; until this worker says that it has them, both are repeated.
    if (shares === null) return
    if ((snapshot.rulesVersion ?? 0) !== rules.version) return send({ type: 'get-rules' })
    waiting = null
    if (worker === null) return void start(snapshot)
    worker.applyRules(rules)
    worker.applySnapshot(snapshot)
    // It will listen as the last one says.
    if (!mayListen) return send({ type: 'ack', version: snapshot.version })
    worker.followPause(() => send({ type: 'ack', version: snapshot.version }))
  }

  let mayListen = false
  let goOn = (): void => {}
  /** Whoever listens still where this worker is to listen has to leave first. */
  const leaveToListen = async (): Promise<void> => {
    const given = new Promise<void>((resolve) => {
      goOn = resolve
    })
    send({ type: 'prepared' })
    await given
    mayListen = true
  }

  const start = async (snapshot: Snapshot): Promise<void> => {
    worker = new Worker(number, snapshot, log, send, commits)
    worker.applyRules(rules)
    worker.shares.take(shares!.sequence, shares!.shares)
    worker.prepare()
    await leaveToListen()
    try {
      await worker.listen()
    } catch (error) {
      isStarted = true
      const address = snapshot.listen.map(addressText).join(', ')
      send({ type: 'listen-failed', address, message: (error as Error).message })
      process.exitCode = 1
      process.disconnect()
      return
    }
    isStarted = true
    send({ type: 'listening', pid: process.pid })
    send({ type: 'ack', version: snapshot.version })
    reporter = setInterval(report, COUNTERS_MS)
  }

  /** Hands over what would be lost, and waits for it to be taken, if anybody is there to take it. */
  const part = async (): Promise<void> => {
    if (worker === null || !process.connected) return
    for (const table of COUNTED_TABLES) {
      await tellRows(0, table, true, worker, (told) => {
        if (told.type === 'rows') send({ type: 'last-rows', table, rows: told.rows as WorkerTables[CountedTable][] })
      })
    }
    const taken = new Promise<void>((resolve) => {
      farewell = resolve
    })
    send({ type: 'parting' })
    const limit = setTimeout(farewell, FAREWELL_MS)
    await taken
    clearTimeout(limit)
  }

  let farewell = (): void => {}
  let draining = false
  const drain = async (limitMs?: number): Promise<void> => {
    const drained = worker?.drain(limitMs)
    if (draining) return
    draining = true
    await drained
    if (reporter !== null) clearInterval(reporter)
    report()
    await part()
    // Sockets that are only being closed by now must not keep a process alive that is done.
    setTimeout(() => process.exit(0), 50)
  }

  process.on('message', (message: ToWorker) => {
    switch (message.type) {
      case 'snapshot':
        return take(message.snapshot)
      case 'rules':
        rules = message.rules
        if (waiting !== null) take(waiting)
        return
      case 'server-shares':
        shares = message
        if (worker !== null) return worker.shares.take(message.sequence, message.shares)
        if (waiting !== null) take(waiting)
        return
      case 'listen':
        return goOn()
      case 'health':
        return worker?.applyHealth(message.health)
      case 'get-processlist':
        return send({ type: 'processlist', request: message.request, rows: worker?.processList() ?? [] })
      case 'get-counters':
        tellCounters()
        return send({ type: 'rows', request: message.request, rows: [], last: true })
      case 'get-rows':
        if (worker === null) return send({ type: 'rows', request: message.request, rows: [], last: true })
        return void tellRows(message.request, message.table, message.reset, worker, send)
      case 'explain-route':
        return send({
          type: 'route-explained',
          request: message.request,
          answer: worker?.explain(message.question) ?? null,
        })
      case 'find-session':
        return worker?.sessionSearch.answer(message.request, message.wanted)
      case 'session-found':
        return worker?.sessionSearch.found(message.request, message.place)
      case 'forget-failed-logins':
        return worker?.throttle.clear()
      case 'kill-session':
        return worker?.sessionSearch.killHere(message.kill)
      case 'client-counts':
        return worker?.clients[message.by].learn(message.counts)
      case 'causal-announce':
        worker?.causal.announced(message.key, monotonicMs())
        return send({ type: 'causal-taken', request: message.request })
      case 'causal-known':
        return worker?.causalChannel.acknowledged(message.request)
      case 'causal-publish':
        return worker?.causal.published(message.key, message.position, worker.view.flavor)
      case 'cache-writes':
        worker?.cache.othersBegan(message.from, message.writes)
        return send({ type: 'cache-taken', request: message.request })
      case 'cache-known':
        return worker?.cacheChannel.acknowledged(message.request)
      case 'cache-written':
        return worker?.cache.othersEnded(message.from, message.writes)
      case 'cache-gone':
        return worker?.cache.otherGone(message.from)
      case 'cache-flush':
        worker?.cache.clear()
        return send({ type: 'cache-taken', request: message.request })
      case 'changed':
        worker?.changedElsewhere(message.change)
        return send({ type: 'change-taken', request: message.request })
      case 'farewell':
        return farewell()
      case 'change-known':
        return worker?.changes.acknowledged(message.request)
      case 'drain':
        return void drain(message.limitMs === null ? Number.POSITIVE_INFINITY : message.limitMs)
    }
  })

  /** Without a control plane it will never get the sockets on which it would serve. */
  const endUnserved = (): void => {
    log.warn('the control plane is gone before this worker served: it ends, too')
    process.exit(1)
  }

  cluster.worker?.on('disconnect', () => {
    if (!isStarted) return endUnserved()
    // Node ends a worker whose parent is gone, unless it is marked as leaving of its own accord.
    if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true
    for (const by of COUNTED_BY) worker?.clients[by].forgetOthers()
    if (!draining && worker !== null) log.warn('the control plane is gone; serving on with what it said last')
  })
  process.on('SIGTERM', () => void drain())
  // Ctrl-C in a terminal reaches all processes; the control plane decides.
  process.on('SIGINT', () => {
    if (!process.connected) void drain()
  })
  process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
    // Node asks for the sockets over a channel that may have just been closed.
    if (!isStarted && error.code === 'EPIPE') return endUnserved()
    log.fatal({ err: error }, 'worker ends by an error in Sluice')
    process.exit(70)
  })
}

function openCommitTimes(path: string, log: Logger): CommitTimes {
  try {
    return CommitTimes.open(path)
  } catch (err) {
    log.error({ err }, `new sessions cannot know what other workers write: ${path} cannot be opened`)
    return CommitTimes.unknown()
  }
}
