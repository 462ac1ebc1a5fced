import type { ReplicationHostgroup } from '../../shared/snapshot.js'
import type { Config } from '../config/config-schema.js'
import { type Finding, ok, problem, warning } from './check-findings.js'
import type { ServerReport } from './check-server.js'

/** What only shows when servers are compared. Pure. `reports` holds the servers that answered. */
export function checkCluster(config: Config, reports: readonly ServerReport[]): Finding[] {
  const findings = [...checkVersions(reports), ...checkServerIds(reports)]
  for (const pair of config.replicationHostgroups) findings.push(...checkPair(config, pair, reports))
  return findings
}

function checkVersions(reports: readonly ServerReport[]): Finding[] {
  const versions = new Set(reports.map(({ version }) => version))
  if (new Set(reports.map(({ flavor }) => flavor)).size > 1) {
    return [problem('servers', `MySQL and MariaDB are mixed: ${[...versions].join(', ')}`, 'one proxy for each')]
  }
  if (versions.size > 1) {
    return [warning('servers', `versions differ: ${[...versions].join(', ')}; clients are offered the lowest`)]
  }
  return []
}

function checkServerIds(reports: readonly ServerReport[]): Finding[] {
  const byId = new Map<number, string[]>()
  for (const { server, serverId } of reports) byId.set(serverId, [...(byId.get(serverId) ?? []), server.id])
  const doubles = [...byId].filter(([, servers]) => servers.length > 1)
  if (doubles.length > 0) {
    return doubles.map(([id, servers]) =>
      problem('servers', `server_id = ${id} on ${servers.join(' and ')}`, 'a server_id of its own for each server'),
    )
  }
  return reports.length > 1 ? [ok('servers', 'server_ids are distinct')] : []
}

function checkPair(config: Config, pair: ReplicationHostgroup, reports: readonly ServerReport[]): Finding[] {
  const rows = config.servers.filter((row) => row.hostgroup === pair.writer || row.hostgroup === pair.reader)
  const members = reports.filter(({ server }) => rows.some((row) => row.id === server.id))
  const name = `hostgroups ${pair.writer}/${pair.reader}`
  const isAllSeen = members.length === new Set(rows.map(({ id }) => id)).size
  const writable = members.filter(({ readOnly }) => !readOnly)
  const findings = members.flatMap((member) => (member.readOnly ? checkReplica(member) : checkWritableReplica(member)))
  const primaries = writable.filter(({ channels }) => channels === null || channels.length === 0)
  if (writable.length === 0) {
    const text = 'no server is writable (read_only = 0), so writes have nowhere to go'
    findings.push(isAllSeen ? problem(name, text, 'SET GLOBAL read_only = 0 on the primary') : warning(name, text))
  } else if (primaries.length > 1) {
    const ids = primaries.map(({ server }) => server.id).join(' and ')
    findings.push(problem(name, `${ids} are both writable`, 'SET GLOBAL read_only = 1 on all but the primary'))
  } else {
    findings.push(...checkWriter(config, pair, name, primaries.at(0) ?? writable[0]))
  }
  return findings
}

function checkWriter(config: Config, pair: ReplicationHostgroup, name: string, writer: ServerReport): Finding[] {
  const { id } = writer.server
  const asConfigured = config.servers.some((row) => row.id === id && row.hostgroup === pair.writer)
  if (asConfigured) return [ok(name, `${id} is the writer, as configured`)]
  return [
    warning(name, `${id} is writable and will be the writer; the configuration has it in hostgroup ${pair.reader}`),
  ]
}

function checkReplica({ server, channels }: ServerReport): Finding[] {
  if (channels === null) return []
  if (channels.length === 0) {
    return [
      problem(server.id, 'is read-only but replicates from nobody: it will not serve reads', 'set up replication'),
    ]
  }
  return channels.map((channel) => {
    const { receiver, applierRuns, receiverError, applierError } = channel
    if (receiver === 'running' && applierRuns) return ok(server.id, 'replication is running')
    const what = applierRuns ? `receiver is ${receiver}` : 'applier is stopped'
    const error = applierRuns ? receiverError : applierError
    return problem(server.id, `replication ${what}${error === '' ? '' : `: ${error}`}: it will not serve reads`)
  })
}

function checkWritableReplica(report: ServerReport): Finding[] {
  if (report.channels === null || report.channels.length === 0) return []
  const text = 'replicates but is writable: a write that reaches it splits the data'
  return [
    ...checkReplica(report),
    warning(report.server.id, text, 'SET PERSIST super_read_only = 1 (MariaDB: read_only = 1)'),
  ]
}
