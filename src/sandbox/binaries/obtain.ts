import { messageOf, SandboxError } from '../errors.js'
import { cacheFolder } from '../paths.js'
import type { ObtainOptions, ServerBinaries } from '../types.js'
import { cachedServer, fetchIntoCache } from './cache.js'
import { debianObstacle } from './debian.js'
import { dockerServer } from './docker.js'
import { askVersion, installedPrograms, serverAt } from './installed.js'
import { ENGINE_NAMES, oldestSupported } from './version.js'

/** What one source had: a server, or the reason why not. */
type Outcome = ServerBinaries | { missing: string }
interface Source {
  name: string
  look: (options: ObtainOptions) => Promise<Outcome>
}

/** In this order, after a path that was given: that one either serves or is an error. */
const SOURCES: readonly Source[] = [
  { name: 'PATH', look: lookOnPath },
  { name: 'cache folder', look: lookInCache },
  { name: 'Docker', look: lookInDocker },
  { name: "Debian's packages", look: lookInDebian },
]

/**
 * Finds a real server, or fetches one without touching the system. Looks at, in this order: the path given (`mysqld`, then
 * SLUICE_MYSQLD), programs on PATH and in the system's folders, the cache folder, a running Docker engine, Debian's packages.
 * @throws SandboxError that says what was tried and what to install
 */
export async function obtainServer(options: ObtainOptions): Promise<ServerBinaries> {
  const { engine, mysqld, progress, signal } = options
  if (mysqld) return announce(await serverAt(mysqld, engine, 'the path given', signal), options)
  const tried: string[] = []
  const fromEnvironment = await lookInEnvironment(options)
  if ('launch' in fromEnvironment) return announce(fromEnvironment, options)
  if (fromEnvironment.missing !== '') tried.push(fromEnvironment.missing)
  for (const source of SOURCES) {
    signal?.throwIfAborted()
    const outcome = await source.look(options).catch((error: unknown) => {
      signal?.throwIfAborted()
      return { missing: messageOf(error) }
    })
    if ('launch' in outcome) return announce(outcome, options)
    tried.push(`${source.name}: ${outcome.missing}`)
    progress?.({ step: 'server', message: `${source.name}: ${outcome.missing}; looking further` })
  }
  throw new SandboxError(nothingServes(options, tried))
}

function announce(server: ServerBinaries, { engine, progress }: ObtainOptions): ServerBinaries {
  progress?.({ step: 'server', message: `${ENGINE_NAMES[engine]} ${server.version} from ${server.origin}` })
  return server
}

function nothingServes({ engine }: ObtainOptions, tried: readonly string[]): string {
  const packages =
    engine === 'mysql' ? 'mysql-server-core (or mysql-server)' : 'mariadb-server-core (or mariadb-server)'
  const name = ENGINE_NAMES[engine]
  return (
    `found no ${name} server. Tried ${tried.join('; ')}. ` +
    `What helps: install ${name} ${oldestSupported(engine)} or newer with your package manager (${packages}), ` +
    'or start Docker, or name a server with --mysqld PATH or the environment variable SLUICE_MYSQLD.'
  )
}

/** The variable holds one path while both engines may be asked for, so one of the other engine is no error. */
async function lookInEnvironment({ engine, progress, signal }: ObtainOptions): Promise<Outcome> {
  const path = process.env['SLUICE_MYSQLD']
  if (!path) return { missing: '' }
  const found = await askVersion([path], signal)
  if (found.engine === engine) return serverAt(path, engine, 'SLUICE_MYSQLD', signal)
  const missing = `SLUICE_MYSQLD: ${path} is ${ENGINE_NAMES[found.engine]}`
  progress?.({ step: 'server', message: `${missing}; looking further` })
  return { missing }
}

async function lookOnPath({ engine, signal }: ObtainOptions): Promise<Outcome> {
  const reasons: string[] = []
  for (const program of installedPrograms(engine)) {
    try {
      return await serverAt(program, engine, 'installed', signal)
    } catch (error) {
      signal?.throwIfAborted()
      reasons.push(messageOf(error))
    }
  }
  return { missing: reasons.join(', ') || `no ${ENGINE_NAMES[engine]} server is installed` }
}

async function lookInCache({ engine, cacheDir, signal }: ObtainOptions): Promise<Outcome> {
  const entry = await cachedServer(cacheFolder(cacheDir), engine, signal)
  if (entry.kind === 'usable') return entry.server
  return { missing: entry.kind === 'absent' ? 'nothing there yet' : `the server there is broken (${entry.reason})` }
}

async function lookInDocker(options: ObtainOptions): Promise<Outcome> {
  return dockerServer(options.engine, options)
}

async function lookInDebian(options: ObtainOptions): Promise<Outcome> {
  const obstacle = await debianObstacle(options.signal)
  if (obstacle !== undefined) return { missing: obstacle }
  return fetchIntoCache(cacheFolder(options.cacheDir), options.engine, options)
}
