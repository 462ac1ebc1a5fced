import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { messageOf, SandboxError } from '../errors.js'
import { run } from '../run.js'
import type { Engine, ServerBinaries } from '../types.js'
import { ENGINE_NAMES, isSupported, oldestSupported, parseServerVersion, type ServerVersion } from './version.js'

/** MariaDB's packages install the server under both names. */
const PROGRAMS: Record<Engine, readonly string[]> = { mysql: ['mysqld'], mariadb: ['mariadbd', 'mysqld'] }
const CLIENTS: Record<Engine, string> = { mysql: 'mysql', mariadb: 'mariadb' }

/** Where distributions put servers; usually not on the PATH of a user. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/libexec', '/usr/local/mysql/bin']
const VERSION_TIMEOUT_MS = 20_000

/**
 * Asks a server program which it is.
 * @throws SandboxError when it does not run or does not say
 */
export async function askVersion(command: readonly string[], signal?: AbortSignal): Promise<ServerVersion> {
  const shown = command.at(-1)
  const result = await run([...command, '--no-defaults', '--version'], { signal, timeoutMs: VERSION_TIMEOUT_MS }).catch(
    (error: unknown) => {
      signal?.throwIfAborted()
      throw new SandboxError(`${shown} cannot be run: ${messageOf(error)}`)
    },
  )
  const version = parseServerVersion(result.output)
  if (result.code === 0 && version !== undefined) return version
  throw new SandboxError(`${shown} --version is not that of a server: ${result.output.trim().slice(0, 200)}`)
}

/**
 * Uses the server at `path`.
 * @throws SandboxError when it is not a server of that engine that the sandbox can run
 */
export async function serverAt(
  path: string,
  engine: Engine,
  origin: string,
  signal?: AbortSignal,
): Promise<ServerBinaries> {
  const found = await askVersion([path], signal)
  if (found.engine !== engine) {
    throw new SandboxError(`${path} is ${ENGINE_NAMES[found.engine]} ${found.version}, not ${ENGINE_NAMES[engine]}`)
  }
  if (!isSupported(found)) {
    const name = ENGINE_NAMES[engine]
    throw new SandboxError(`${path} is ${name} ${found.version}; ${name} ${oldestSupported(engine)} or newer is needed`)
  }
  const base = dirname(dirname(realpathSync(path)))
  const shareDir = findShareDir(base, found.engine)
  const options = shareDir?.startsWith(`${base}/`) ? [`--basedir=${base}`] : []
  const client = [dirname(path), join(base, 'bin')]
    .map((folder) => join(folder, CLIENTS[engine]))
    .find((candidate) => isProgram(candidate))
  return {
    engine,
    version: found.version,
    origin: `${origin} (${path})`,
    launch: { kind: 'process', command: [path], options, ...(shareDir ? { shareDir } : {}) },
    ...(client ? { client: [client] } : {}),
  }
}

/** Server programs of that name on PATH and in the system's folders, best first. They may be of the other engine. */
export function installedPrograms(engine: Engine, path = process.env['PATH'] ?? ''): string[] {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ''), ...SYSTEM_FOLDERS]
  const candidates = folders.flatMap((folder) => PROGRAMS[engine].map((program) => join(folder, program)))
  const programs = candidates.filter(isProgram)
  const seen = new Set<string>()
  return programs.filter((program) => {
    const real = realpathSync(program)
    return !seen.has(real) && seen.add(real)
  })
}

/** The scripts for MariaDB's system tables, beside the server or where distributions have them. */
function findShareDir(base: string, engine: Engine): string | undefined {
  const marker = engine === 'mariadb' ? 'mysql_system_tables.sql' : join('english', 'errmsg.sys')
  const folders = [join(base, 'share/mysql'), join(base, 'share/mariadb'), join(base, 'share')]
  const elsewhere = engine === 'mariadb' ? ['/usr/share/mysql', '/usr/share/mariadb'] : []
  return [...folders, ...elsewhere].find(
    (folder) =>
      existsSync(join(folder, marker)) ||
      (engine === 'mariadb' && existsSync(join(folder, `mariadb${marker.slice(5)}`))),
  )
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
