import type { Flavor } from '../../shared/snapshot.js'
import type { Config, ServerConfig } from '../config/config-schema.js'
import {
  APPLIER_QUERY,
  type Channel,
  channelsQuery,
  type Dialect,
  dialectOf,
  isAtLeast,
  type Row,
  readChannels,
  readState,
  stateQuery,
} from '../monitor/monitor-queries.js'
import { ProbeConnection, ProbeError } from '../monitor/probe.js'
import { type Finding, ok, problem, warning } from './check-findings.js'

/** What the comparison of servers needs to know of one that answered. */
export interface ServerReport {
  readonly server: ServerConfig
  readonly flavor: Flavor
  readonly version: string
  readonly serverId: number
  readonly readOnly: boolean
  readonly channels: readonly Channel[] | null
}

/** An operator waits; the monitor's short times are not for a first look. */
const TIMEOUT_MS = 3000

/** Connects as the monitor and as every user. `report` is null when the monitor could not look. */
export async function checkServer(config: Config, server: ServerConfig) {
  const findings: Finding[] = []
  const { report, isThere } = await checkAsMonitor(config, server, findings)
  // Where nobody listens, the users' logins would only repeat it.
  if (isThere) for (const user of config.users) findings.push(await checkUser(config, server, user))
  return { findings, report }
}

async function checkAsMonitor(config: Config, server: ServerConfig, findings: Finding[]) {
  const { user, password } = config.monitor
  let connection: ProbeConnection
  try {
    connection = await ProbeConnection.open({ ...target(server), user, password })
  } catch (error) {
    const isThere = error instanceof ProbeError && error.kind === 'refused'
    findings.push(explainNoLogin(server, user, (error as Error).message, isThere))
    return { report: null, isThere }
  }
  try {
    return { report: await inspect(connection, server, user, findings), isThere: true }
  } catch (error) {
    findings.push(problem(server.id, `the connection broke while it was looked at: ${(error as Error).message}`))
    return { report: null, isThere: false }
  } finally {
    connection.close()
  }
}

function explainNoLogin(server: ServerConfig, user: string, message: string, isThere: boolean): Finding {
  if (!isThere) return problem(server.id, `cannot be reached: ${message}`)
  const fix = `CREATE USER '${user}'@'%' IDENTIFIED BY '...' on the primary, or set monitor.user and monitor.password`
  return problem(server.id, `the monitor may not log in: ${message}`, fix)
}

async function inspect(
  connection: ProbeConnection,
  server: ServerConfig,
  user: string,
  findings: Finding[],
): Promise<ServerReport> {
  const version = connection.greeting.serverVersion
  const dialect = dialectOf(version)
  const name = dialect.flavor === 'mariadb' ? 'MariaDB' : 'MySQL'
  const [[state], [facts]] = await connection.query([stateQuery(dialect), FACTS_QUERY], TIMEOUT_MS)
  const { readOnly } = readState(state, dialect)
  findings.push(ok(server.id, `${name} ${dialect.version.join('.')}, read_only = ${readOnly ? 1 : 0}`))
  if (!isAtLeast(dialect, ...OLDEST[dialect.flavor])) {
    findings.push(warning(server.id, `${name} before ${OLDEST[dialect.flavor].join('.')} is not tested with Sluice`))
  }
  const channels = await checkGrants(connection, dialect, server, account(facts, user), findings)
  findings.push(...checkGtid(dialect, server, state, facts))
  return { server, flavor: dialect.flavor, version, serverId: Number(facts['server_id']), readOnly, channels }
}

const FACTS_QUERY = 'SELECT @@global.server_id AS server_id, @@global.log_bin AS log_bin, CURRENT_USER() AS account'
const OLDEST: Record<Flavor, readonly [number, number, number]> = { mysql: [8, 0, 0], mariadb: [10, 6, 0] }

/** `'monitor'@'%'`, as a GRANT statement wants it. */
function account(facts: Row, user: string): string {
  const current = String(facts['account'] ?? `${user}@%`)
  const at = current.lastIndexOf('@')
  const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`
  return `${quote(current.slice(0, at))}@${quote(current.slice(at + 1))}`
}

interface NeededGrant {
  /** Fails, or returns no row, without the privilege. */
  readonly test: string
  readonly needsRow?: boolean
  readonly privilege: string
  readonly forWhat: string
  readonly level: typeof problem
}

function neededGrants(dialect: Dialect): readonly NeededGrant[] {
  const channels = channelsQuery(dialect)
  const functions = 'to know which stored functions only read; calls of all of them go to the primary until then'
  if (dialect.flavor === 'mariadb') {
    return [
      { test: channels, privilege: 'SLAVE MONITOR ON *.*', forWhat: 'to see replication', level: problem },
      {
        test: 'SELECT 1 FROM mysql.proc LIMIT 0',
        privilege: 'SELECT ON mysql.proc',
        forWhat: functions,
        level: warning,
      },
    ]
  }
  const holds = (privilege: string): string =>
    `SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = '${privilege}'`
  return [
    { test: channels, privilege: 'REPLICATION CLIENT ON *.*', forWhat: 'to see replication', level: problem },
    {
      test: APPLIER_QUERY,
      privilege: 'SELECT ON performance_schema.*',
      forWhat: 'for replication lag in milliseconds; it is known in seconds until then',
      level: warning,
    },
    {
      test: holds('SHOW_ROUTINE'),
      needsRow: true,
      privilege: 'SHOW_ROUTINE ON *.*',
      forWhat: functions,
      level: warning,
    },
  ]
}

/** Returns the replication channels, or null when they may not be read. */
async function checkGrants(
  connection: ProbeConnection,
  dialect: Dialect,
  server: ServerConfig,
  grantee: string,
  findings: Finding[],
): Promise<Channel[] | null> {
  let channels: Channel[] | null = null
  let missing = 0
  for (const { test, needsRow, privilege, forWhat, level } of neededGrants(dialect)) {
    const rows = await rowsOrDenied(connection, test)
    if (rows !== null && test === channelsQuery(dialect)) channels = readChannels(rows)
    if (rows !== null && (needsRow !== true || rows.length > 0)) continue
    missing++
    findings.push(level(server.id, `the monitor lacks a privilege ${forWhat}`, `GRANT ${privilege} TO ${grantee}`))
  }
  if (missing === 0) findings.push(ok(server.id, 'the monitor has the privileges it needs'))
  return channels
}

async function rowsOrDenied(connection: ProbeConnection, statement: string): Promise<Row[] | null> {
  try {
    const [rows] = await connection.query([statement], TIMEOUT_MS)
    return rows
  } catch (error) {
    if (error instanceof ProbeError && error.kind === 'sql') return null
    throw error
  }
}

function checkGtid(dialect: Dialect, server: ServerConfig, state: Row, facts: Row): Finding[] {
  const hasLog = Number(facts['log_bin']) === 1
  const reason = 'a session that has written reads from the primary for the rest of its life'
  if (dialect.flavor === 'mysql') {
    const mode = String(state['gtid_mode'])
    if (mode === 'ON') return [ok(server.id, 'gtid_mode = ON')]
    const fix = 'SET GLOBAL enforce_gtid_consistency = ON, then gtid_mode step by step to ON, on all servers'
    const instead = 'binary log coordinates tell what replicas of the primary have, later and less than GTIDs would'
    return [warning(server.id, `gtid_mode = ${mode}: ${hasLog ? instead : reason}`, fix)]
  }
  if (hasLog) return [ok(server.id, 'the binary log is on, so writes have GTIDs')]
  return [warning(server.id, `the binary log is off: ${reason}`, 'log_bin in the server configuration')]
}

async function checkUser(config: Config, server: ServerConfig, user: Config['users'][number]): Promise<Finding> {
  const { name, defaultSchema, backendUser, backendPassword, passwordHash } = user
  if (backendPassword === null && passwordHash !== null) {
    return ok(server.id, `user ${name} has a hash in ${config.path}, so that only its own login shows its password`)
  }
  const account = backendUser ?? name
  try {
    const connection = await ProbeConnection.open({
      ...target(server),
      user: account,
      password: backendPassword ?? user.password,
      database: defaultSchema ?? undefined,
    })
    connection.close()
    return ok(server.id, `user ${name} can log in${account === name ? '' : ` as ${account}`}`)
  } catch (error) {
    const line = `user ${account} cannot log in: ${(error as Error).message}`
    return problem(server.id, line, `the same account and password on the server and in users of ${config.path}`)
  }
}

function target(server: ServerConfig) {
  const { id, host, port, tls, proxyProtocol } = server
  return { id, host, port, tls, proxyProtocol, connectTimeoutMs: TIMEOUT_MS }
}
