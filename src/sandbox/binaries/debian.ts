/**
 * Debian's server packages, downloaded with the machine's own apt and unpacked into a folder. Nothing of the system is touched
 * and no root is needed: apt gets a state of its own, and since that one knows no installed package, it fetches all the
 * libraries too. apt checks the packages against the archive's signature as always.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { messageOf, SandboxError } from '../errors.js'
import { run } from '../run.js'
import type { Engine, Progress } from '../types.js'
import { formatAptConfig, parseAptProgress, parseOsRelease } from './apt-config.js'
import {
  type AptSource,
  archiveSources,
  formatDeb822Source,
  parseDeb822Sources,
  parseOneLineSources,
  sourceForSuite,
} from './apt-sources.js'

export interface DebianPackages {
  names: readonly string[]
  /** Another suite of the machine's archive. Default: that of the machine. */
  suite?: string
  /** Downloaded, but not unpacked. */
  leaveOut?: readonly string[]
}

/** A source package as its authors released it, without Debian's changes. */
export interface DebianSource {
  name: string
  /** As of {@link DebianPackages}. */
  suite?: string
}

/** MySQL 9 is in Debian's unstable suite only; MariaDB is in every release, so the machine's own is asked. */
export const SERVER_PACKAGES: Record<Engine, DebianPackages> = {
  mysql: { names: ['mysql-server-core', 'mysql-client-core'], suite: 'sid' },
  mariadb: { names: ['mariadb-server-core', 'mariadb-client-core'] },
}
const DOWNLOAD_TIMEOUT_MS = 30 * 60_000

/** Every Debian has it: what it runs is killed when this process is, and does not go on in a folder that is given up. */
const ENDS_WITH_US = ['setpriv', '--pdeathsig', 'KILL']

interface Context {
  progress?: Progress | undefined
  signal?: AbortSignal | undefined
}

/** Why this machine cannot do it, or undefined when it can. */
export async function debianObstacle(signal?: AbortSignal): Promise<string | undefined> {
  for (const tool of ['apt-get', 'dpkg-deb', 'setpriv']) {
    const result = await run([tool, '--version'], { signal }).catch(() => undefined)
    signal?.throwIfAborted()
    if (result?.code !== 0) return `this is no Debian-like system (${tool} is missing)`
  }
  const { id } = readOsRelease()
  if (id !== 'debian') return `the packages fit Debian only, and this system calls itself ${id || 'nothing known'}`
  return undefined
}

/**
 * Downloads the packages into `work` (what is there already from an attempt that was cut short is used) and unpacks them into
 * the new folder `target`.
 * @throws SandboxError with apt's own words
 */
export async function unpackDebianPackages(
  packages: DebianPackages,
  work: string,
  target: string,
  context: Context,
): Promise<void> {
  const { progress, signal } = context
  const config = await prepareApt('deb', packages.suite, work, context)
  // Packages of an earlier attempt that the archive has replaced since must not be unpacked over the new ones.
  await runApt(config, ['autoclean'], 'old downloads cannot be removed', { signal })
  const { names, leaveOut = [] } = packages
  const message = `downloading ${names.join(', ')} and their libraries`
  progress?.({ step: 'download', message, percent: 0 })
  const install = ['install', '--yes', '--no-install-recommends', '--download-only', ...names]
  const onPercent = (percent: number) => progress?.({ step: 'download', message, percent })
  await runApt(config, install, 'the download failed', { signal, onPercent })
  await unpackAll(join(work, 'cache', 'archives'), leaveOut, target, context)
}

/**
 * Downloads the authors' archive of a source package into `work` and unpacks it into the new folder `target`, without the folder
 * that such archives begin with.
 * @throws SandboxError with apt's or tar's own words
 */
export async function unpackDebianSource(
  { name, suite }: DebianSource,
  work: string,
  target: string,
  context: Context,
): Promise<void> {
  const { progress, signal } = context
  const config = await prepareApt('deb-src', suite, work, context)
  progress?.({ step: 'download', message: `downloading the sources of ${name}`, percent: 0 })
  const downloads = join(work, 'source')
  rmSync(downloads, { recursive: true, force: true })
  mkdirSync(downloads)
  const source = ['source', '--download-only', '--tar-only', name]
  await runApt(config, source, 'the download failed', { signal, cwd: downloads })
  const archive = readdirSync(downloads).find((file) => /\.orig\.tar\.\w+$/.test(file))
  if (archive === undefined) throw new SandboxError(`the source package ${name} has no archive of its authors`)
  mkdirSync(target, { recursive: true })
  const unpack = ['tar', '--extract', '--strip-components=1', '--directory', target, '--file', join(downloads, archive)]
  const { code, output } = await run([...ENDS_WITH_US, ...unpack], { signal })
  if (code !== 0) throw new SandboxError(`${archive} cannot be unpacked: ${output.trim()}`)
}

/** @returns the path of the configuration of an apt that has read its lists */
async function prepareApt(
  type: 'deb' | 'deb-src',
  suite: string | undefined,
  work: string,
  { progress, signal }: Context,
): Promise<string> {
  const sourcesDir = join(work, 'sources')
  rmSync(sourcesDir, { recursive: true, force: true })
  for (const folder of ['lists/partial', 'cache/archives/partial', 'sources']) {
    mkdirSync(join(work, folder), { recursive: true })
  }
  writeFileSync(join(work, 'status'), '') // no package is installed: every library is fetched
  const sources = chooseSources(suite).map((source) => formatDeb822Source(source, type))
  writeFileSync(join(sourcesDir, 'sandbox.sources'), sources.join('\n'))
  const config = join(work, 'apt.conf')
  writeFileSync(config, formatAptConfig(work))
  progress?.({ step: 'download', message: 'reading the package lists' })
  await runApt(config, ['update'], 'the package lists cannot be read', { signal })
  return config
}

function chooseSources(suite: string | undefined): AptSource[] {
  const sources = machineSources()
  const { codename } = readOsRelease()
  if (suite === undefined) {
    const own = archiveSources(sources, codename)
    if (own.length > 0) return own
  } else {
    const source = sourceForSuite(sources, codename, suite)
    if (source !== undefined) return [source]
  }
  throw new SandboxError(
    `the package sources in /etc/apt name no archive with the suite ${codename || 'of this system'}`,
  )
}

function machineSources(root = '/etc/apt'): AptSource[] {
  const parts = join(root, 'sources.list.d')
  const names = existsSync(parts) ? readdirSync(parts).sort() : []
  const files = [join(root, 'sources.list'), ...names.map((name) => join(parts, name))]
  return files.filter(existsSync).flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    if (file.endsWith('.sources')) return parseDeb822Sources(text)
    return file.endsWith('.list') ? parseOneLineSources(text) : []
  })
}

/** What /etc/os-release says; empty where it says nothing. */
export function readOsRelease(): { id: string; codename: string } {
  try {
    return parseOsRelease(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return { id: '', codename: '' }
  }
}

async function runApt(
  config: string,
  args: readonly string[],
  failure: string,
  options: { signal?: AbortSignal | undefined; onPercent?: (percent: number) => void; cwd?: string },
): Promise<void> {
  const command = [...ENDS_WITH_US, 'apt-get', '-c', config, '-o', 'APT::Status-Fd=3', ...args]
  const result = await run(command, {
    signal: options.signal,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
    onStatusLine: (line) => {
      const percent = parseAptProgress(line)
      if (percent !== undefined) options.onPercent?.(percent)
    },
  })
  if (result.code !== 0) throw new SandboxError(`${failure}: ${aptErrors(result.output)}`)
}

/** apt's own error lines (`E: ...`, `W: ...`), or else the end of what it said. */
function aptErrors(output: string): string {
  const lines = output.trim().split('\n')
  const errors = lines.filter((line) => /^[EW]: /.test(line))
  return (errors.length > 0 ? errors : lines).slice(-3).join(' ') || 'apt-get said nothing'
}

async function unpackAll(
  archives: string,
  leaveOut: readonly string[],
  target: string,
  { progress, signal }: Context,
): Promise<void> {
  const isWanted = (name: string) => name.endsWith('.deb') && !leaveOut.some((left) => name.startsWith(`${left}_`))
  const packages = readdirSync(archives).filter(isWanted)
  mkdirSync(target, { recursive: true })
  let done = 0
  const waiting = [...packages]
  const unpackOneByOne = async () => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const result = await run([...ENDS_WITH_US, 'dpkg-deb', '--extract', join(archives, name), target], { signal })
      if (result.code !== 0) throw new SandboxError(`${name} cannot be unpacked: ${result.output.trim()}`)
      done++
      const percent = (100 * done) / packages.length
      progress?.({ step: 'unpack', message: `unpacking ${packages.length} packages`, percent })
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, unpackOneByOne)).catch((error: unknown) => {
    waiting.length = 0
    throw error instanceof SandboxError ? error : new SandboxError(messageOf(error))
  })
}
