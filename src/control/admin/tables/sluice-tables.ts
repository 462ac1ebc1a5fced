import type { ControlView } from '../../view.js'
import type { Rows, TableSource } from './source.js'

function events(view: ControlView): Rows {
  return view
    .events()
    .map(({ id, time, kind, server, what, why, who }) => [id, dateTime(time), kind, server, what, why, who])
}

/** In UTC, as MySQL writes it, with milliseconds. */
export function dateTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '')
}

function dryRuns(view: ControlView): Rows {
  return (view.counters().dryRun ?? []).map(({ user, place, reason, count }) => [user, place, reason, count])
}

async function pins(view: ControlView): Promise<Rows> {
  const rows = await view.processlist()
  return rows.flatMap(({ kept, ...row }) => {
    if (kept === undefined) return []
    const client = row.clientPort === 0 ? row.clientHost : `${row.clientHost}:${row.clientPort}`
    return [
      [
        row.sessionId,
        row.user,
        client,
        kept.hostgroup,
        kept.server,
        kept.pins.join(', '),
        kept.holds.join(', '),
        kept.keptMs,
        row.command,
        row.timeMs,
        row.info,
      ],
    ]
  })
}

/** Tables that ProxySQL does not have. */
export const SLUICE_SOURCES: readonly TableSource[] = [
  {
    databases: ['stats'],
    table: 'stats_sluice_dry_run',
    columns: ['username', 'place', 'reason', 'count_star'],
    counted: true,
    rows: dryRuns,
  },
  {
    databases: ['stats'],
    table: 'stats_sluice_events',
    columns: ['id', 'time', 'kind', 'server', 'what', 'why', 'who'],
    rows: events,
  },
  {
    databases: ['stats'],
    table: 'stats_sluice_pins',
    columns: [
      'session',
      'user',
      'client',
      'hostgroup',
      'server',
      'pins',
      'holds',
      'kept_ms',
      'command',
      'time_ms',
      'info',
    ],
    rows: pins,
  },
]
