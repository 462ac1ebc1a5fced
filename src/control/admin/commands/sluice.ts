import { monotonicMs } from '../../../shared/clock.js'
import { metricsText } from '../../metrics/metrics.js'
import { describeServers } from '../../topology/server-descriptions.js'
import type { ControlView, WorkerLoad } from '../../view.js'
import type { Match } from '../pattern.js'
import { type AdminResult, type CommandContext, rows } from '../session.js'
import { dateTime } from '../tables/sluice-tables.js'
import { isWord } from '../tokens.js'
import { type AdminCommand, show } from './command.js'
import { showFilter } from './filter.js'

/** Commands about Sluice itself. */
export const SLUICE_COMMANDS: readonly AdminCommand[] = [
  show('SHOW TOPOLOGY', ({ view }) => showTopology(view)),
  show('SHOW WORKERS', async ({ view }) => {
    await view.countNow()
    return showWorkers(view)
  }),
  show('SHOW EVENTS ...', showEvents),
  show('SHOW PINS ...', (context, { rest }) =>
    context.query(`SELECT * FROM stats_sluice_pins ${showFilter(rest, 'user')} ORDER BY kept_ms DESC`),
  ),
  show('SHOW PROMETHEUS METRICS', async ({ view }) => rows(['Data'], [[await metricsText(view)]])),
]

const TOPOLOGY_COLUMNS = [
  'hostgroup',
  'server',
  'role',
  'status',
  'status_reason',
  'alive',
  'lag_ms',
  'lag_reason',
  'weight',
  'version',
  'read_only',
  'gtid_executed',
  'source',
  'writer_since',
  'refused',
]

/** One row per server and hostgroup; what is not known is empty. */
function showTopology(view: ControlView): AdminResult {
  const { sources, writerSince, refused } = view.roles()
  const cells = describeServers(view).map(
    ({ entry, role, alive, lagMs, lagReason, version, readOnly, gtidExecuted }) => [
      String(entry.hostgroup),
      entry.id,
      role,
      entry.status,
      entry.statusReason || (entry.slow ?? ''),
      alive === null ? '' : String(Number(alive)),
      lagMs === null ? '' : String(lagMs),
      lagReason,
      String(entry.weight),
      version ?? '',
      readOnly === null ? '' : String(Number(readOnly)),
      gtidExecuted,
      sources.get(entry.id) ?? '',
      writerSince.has(entry.hostgroup) ? dateTime(writerSince.get(entry.hostgroup) as number) : '',
      refused.get(entry.id) ?? '',
    ],
  )
  return rows(TOPOLOGY_COLUMNS, cells)
}

const WORKER_COLUMNS = [
  'worker',
  'pid',
  'state',
  'snapshot_version',
  'uptime_s',
  'sessions',
  'connections_used',
  'connections_free',
  'questions',
  'memory_mb',
  'cpu_s',
  'cpu_percent',
]

/** What a worker has not told yet is empty. */
function showWorkers(view: ControlView): AdminResult {
  const now = monotonicMs()
  const cells = view
    .workers()
    .map(({ number, pid, state, ackedVersion, startedMs, load }) => [
      String(number),
      String(pid),
      state,
      String(ackedVersion),
      String(Math.round((now - startedMs) / 1000)),
      ...(load === null ? new Array<string>(7).fill('') : loadCells(load)),
    ])
  return rows(WORKER_COLUMNS, cells)
}

function loadCells(load: WorkerLoad): string[] {
  return [
    String(load.sessions),
    String(load.connectionsUsed),
    String(load.connectionsFree),
    String(load.questions),
    (load.residentBytes / 2 ** 20).toFixed(1),
    (load.cpuUs / 1e6).toFixed(1),
    (load.cpuShare * 100).toFixed(1),
  ]
}

/** Oldest first, times in UTC; LIKE means the kind, and LIMIT takes the newest. */
function showEvents(context: CommandContext, { rest }: Match): Promise<AdminResult> {
  const limited = isWord(rest.at(-2), 'LIMIT') && /^\d{1,9}$/.test(rest.at(-1)?.text ?? '')
  const [filter, limit] = limited ? [rest.slice(0, -2), `LIMIT ${rest.at(-1)?.text}`] : [rest, '']
  const newest = `SELECT * FROM stats_sluice_events ${showFilter(filter, 'kind')} ORDER BY id DESC ${limit}`
  return context.query(`SELECT time, kind, server, what, why, who FROM (${newest}) ORDER BY id`)
}
