import { loadTables } from '../data/load.js'
import type { Options } from '../options.js'
import { toMarkdownTable, writeTable } from '../report/table.js'
import type { Log } from '../run.js'
import type { Servers } from '../targets/servers.js'
import type { Target } from '../targets/target.js'
import { idleConnections } from './idle.js'
import { type IdleRow, idleTable, type MemoryRow, memoryTable } from './report.js'
import { streamThrough } from './streaming.js'
import { IDLE_CONNECTIONS, type MemorySubject } from './subjects.js'

/** Measures all targets whose processes are known. */
export async function runMemorySubject(
  subject: MemorySubject,
  options: Options,
  servers: Servers,
  targets: readonly Target[],
  log: Log,
): Promise<string> {
  const measurable = targets.filter(({ pids }) => pids.length > 0)
  await loadTables(servers.primary, servers.user, ['sbtest1'], options.rows)
  await servers.settle()
  const rows = { memory: [] as MemoryRow[], idle: [] as IdleRow[] }
  for (const target of measurable) {
    log(`${subject}: ${target.name}`)
    if (subject === 'memory') {
      const { primary: server, user } = servers
      const { mebibytes, insertMebibytes } = options
      const onRow = (row: MemoryRow) => rows.memory.push(row)
      await streamThrough({ target, server, user, mebibytes, insertMebibytes, onRow })
    } else {
      const connections = options.connections ?? IDLE_CONNECTIONS
      rows.idle.push(await idleConnections(target, servers.user, connections, options.seconds))
    }
  }
  const { description } = servers
  const table = subject === 'memory' ? memoryTable(rows.memory, description) : idleTable(rows.idle, description)
  if (options.out !== null) log(`written: ${writeTable(table, options.out, options.label)}`)
  return toMarkdownTable(table)
}
