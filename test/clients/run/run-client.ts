import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Launch } from './clients.js'
import { execute, machineEnvironment } from './execute.js'
import { LOGINS, type Login, type Setting, type Target } from './setting.js'

const CASES = readFileSync(fileURLToPath(new URL('../cases.tsv', import.meta.url)), 'utf8')
const SCRIPT_TIMEOUT_MS = 180_000
const ERROR_LINES = 8

/** Runs a client's script in a fresh database; returns what it printed, without what differs from run to run. */
export async function runClient(
  launch: Launch,
  setting: Setting,
  target: Target,
  login: Login,
  database: string,
  quick: boolean,
): Promise<string> {
  await setting.resetDatabase(database)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-client-'))
  const cases = join(folder, 'cases.tsv')
  writeFileSync(cases, CASES.replaceAll('{db}', database))
  const env = {
    ...machineEnvironment(folder),
    ...launch.env,
    ...prefixed({
      host: '127.0.0.1',
      port: String(target.port),
      socket: target.socket,
      user: login.account.user,
      password: login.account.password,
      other_user: login.other.user,
      other_password: login.other.password,
      db: database,
      ca: setting.ca,
      engine: setting.cluster.engine,
      cases,
      files: setting.files,
      work: folder,
      quick: quick ? '1' : '',
    }),
  }
  try {
    const { output, errors, end } = await execute(launch.command, {
      env,
      cwd: process.cwd(),
      limitMs: SCRIPT_TIMEOUT_MS,
    })
    const said = end === 0 ? '' : ` ${errors.trim().split('\n').slice(-ERROR_LINES).join(' / ')}`
    return normalise(`${output}\nexit: ${end}${said}\n`, target, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function prefixed(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`MATRIX_${name.toUpperCase()}`, value]))
}

/** Ports, sockets, account names and ids of connections are other ones in every run. */
function normalise(output: string, target: Target, folder: string): string {
  const { configured, passthrough } = LOGINS
  const users = `(${configured.account.user}|${passthrough.account.user})`
  const others = `(${configured.other.user}|${passthrough.other.user})`
  return output
    .replaceAll(target.socket, '<socket>')
    .replaceAll(folder, '<folder>')
    .replace(new RegExp(`\\b${target.port}\\b`, 'g'), '<port>')
    .replace(new RegExp(`\\b${users}\\b`, 'g'), '<user>')
    .replace(new RegExp(`\\b${others}\\b`, 'g'), '<other>')
    .replace(/(prepared statement handler \()\d+\)/g, '$1<id>)')
    .replace(/\b(thread(?: id)?:?|[Cc]onnection(?: id)?:?|query) \d+\b/g, '$1 <id>')
}
