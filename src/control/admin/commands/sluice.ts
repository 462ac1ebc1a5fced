import { metricsText } from '../../metrics.js'
import { describeServers } from '../../server-descriptions.js'
import type { ControlView } from '../../view.js'
import { type AdminResult, rows } from '../session.js'
import { type AdminCommand, show } from './command.js'

/** Commands about Sluice itself. */
export const SLUICE_COMMANDS: readonly AdminCommand[] = [
  show('SHOW TOPOLOGY', ({ view }) => showTopology(view)),
  show('SHOW WORKERS', ({ view }) => showWorkers(view)),
  show('SHOW EVENTS', ({ view }) => showEvents(view)),
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
]

/** One row per server and hostgroup; what is not known is empty. */
function showTopology(view: ControlView): AdminResult {
  const cells = describeServers(view).map(
    ({ entry, role, alive, lagMs, lagReason, version, readOnly, gtidExecuted }) => [
      String(entry.hostgroup),
      entry.id,
      role,
      entry.status,
      entry.statusReason,
      alive === null ? '' : String(Number(alive)),
      lagMs === null ? '' : String(lagMs),
      lagReason,
      String(entry.weight),
      version ?? '',
      readOnly === null ? '' : String(Number(readOnly)),
      gtidExecuted,
    ],
  )
  return rows(TOPOLOGY_COLUMNS, cells)
}

function showWorkers(view: ControlView): AdminResult {
  const cells = view
    .workers()
    .map((worker) => [String(worker.number), String(worker.pid), worker.state, String(worker.ackedVersion)])
  return rows(['worker', 'pid', 'state', 'snapshot_version'], cells)
}

/** Oldest first, times in UTC. */
function showEvents(view: ControlView): AdminResult {
  const cells = view
    .events()
    .map((event) => [
      new Date(event.time).toISOString().replace('T', ' ').replace('Z', ''),
      event.server,
      event.what,
      event.why,
    ])
  return rows(['time', 'server', 'what', 'why'], cells)
}
