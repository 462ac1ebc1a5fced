import { loadConfig } from '../config/config.js'
import type { ServerConfig } from '../config/config-schema.js'
import { configuredTls } from '../tls.js'
import { checkCluster } from './check-cluster.js'
import { type Finding, formatFindings, ok, warning } from './check-findings.js'
import { checkServer, type ServerReport } from './check-server.js'

export interface CheckOptions {
  readonly configPath: string
  /** One JSON object instead of lines for people. */
  readonly json: boolean
  /** Standard output unless given. */
  readonly write?: (text: string) => void
}

const EXIT_FINE = 0
const EXIT_PROBLEMS = 1

/**
 * Checks the configuration, then the servers it names, and prints what it finds. Resolves with the exit status: 0, or 1
 * when something would not work. Rejects with a UsageError when the configuration itself is wrong. Starts and changes nothing.
 */
export async function runCheck({ configPath, json, write }: CheckOptions): Promise<number> {
  const config = loadConfig(configPath, process.env)
  configuredTls(config)
  const print = write ?? ((text: string) => process.stdout.write(text))
  const findings: Finding[] = [ok(configPath, 'the configuration is valid')]
  for (const text of config.warnings) findings.push(warning(configPath, text))

  const results = await Promise.all(serversOf(config.servers).map((server) => checkServer(config, server)))
  for (const result of results) findings.push(...result.findings)
  const reports = results.flatMap(({ report }): ServerReport[] => (report === null ? [] : [report]))
  findings.push(...checkCluster(config, reports))

  const fine = findings.every(({ level }) => level !== 'problem')
  print(json ? `${JSON.stringify({ ok: fine, findings }, null, 2)}\n` : formatFindings(findings))
  return fine ? EXIT_FINE : EXIT_PROBLEMS
}

/** One row per server; what the operator has taken out is not looked at. */
function serversOf(rows: readonly ServerConfig[]): ServerConfig[] {
  const byId = new Map<string, ServerConfig>()
  for (const row of rows) if (row.status !== 'OFFLINE_HARD' && !byId.has(row.id)) byId.set(row.id, row)
  return [...byId.values()]
}
