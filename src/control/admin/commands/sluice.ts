import { metricsText } from '../../metrics.js'
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
  const { servers, facts, replicationHostgroups } = view.snapshot()
  const health = new Map(view.health().servers.map((one) => [one.id, one]))
  const factsById = new Map(facts.map((one) => [one.id, one]))
  const writers = new Set(replicationHostgroups.map((pair) => pair.writer))
  const readers = new Set(replicationHostgroups.map((pair) => pair.reader))
  const role = (hostgroup: number) => (writers.has(hostgroup) ? 'writer' : readers.has(hostgroup) ? 'reader' : '')
  const cells = servers.map((server) => {
    const now = health.get(server.id)
    const known = factsById.get(server.id)
    return [
      String(server.hostgroup),
      server.id,
      role(server.hostgroup),
      server.status,
      server.statusReason,
      now === undefined ? '' : String(Number(now.alive)),
      now?.lagMs === null || now === undefined ? '' : String(Math.round(now.lagMs)),
      now?.lagReason ?? '',
      String(server.weight),
      known?.version ?? '',
      known === undefined ? '' : String(Number(known.readOnly)),
      now?.gtidExecuted ?? '',
    ]
  })
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
