/**
 * Fetches the clients' packages into the cache folder, without root and without touching the system: Debian's with the
 * sandbox's downloader, npm's with `npm install --prefix`, sources from Debian's source packages. A folder that is complete carries a file which says what was asked for.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import {
  cacheFolder,
  type DebianPackages,
  type DebianSource,
  debianObstacle,
  progressPrinter,
  unpackDebianPackages,
  unpackDebianSource,
  withLock,
} from '../../../src/sandbox/index.js'
import { run } from '../../../src/sandbox/run.js'

export type Packages =
  | ({ kind: 'debian' } & DebianPackages)
  | ({ kind: 'debian-source' } & DebianSource)
  | { kind: 'npm'; names: readonly string[] }

type FromDebian = Exclude<Packages, { kind: 'npm' }>

/** The machine's own C library serves packages of the machine's own suite: a second one does not fit its loader. */
export const MACHINE_C_LIBRARY = ['libc6', 'libc-bin']

const COMPLETE = '.complete'
const NPM_TIMEOUT_MS = 10 * 60_000

/**
 * The folder with the packages, filled when it is not there yet. Several processes may ask at once.
 * @throws Error in the words of apt or npm
 */
export async function fetchPackages(name: string, packages: Packages): Promise<string> {
  const clients = join(cacheFolder(), 'clients')
  const folder = join(clients, name)
  const wanted = JSON.stringify(packages)
  mkdirSync(clients, { recursive: true })
  return withLock(`${folder}.lock`, {}, async () => {
    const complete = join(folder, COMPLETE)
    if (existsSync(complete) && readFileSync(complete, 'utf8') === wanted) return folder
    const unpacking = `${folder}.new`
    for (const leftover of [folder, unpacking]) rmSync(leftover, { recursive: true, force: true })
    await (packages.kind === 'npm' ? installNpm(packages.names, unpacking) : installDebian(name, packages, unpacking))
    writeFileSync(join(unpacking, COMPLETE), wanted)
    renameSync(unpacking, folder)
    return folder
  })
}

async function installNpm(names: readonly string[], folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const options = ['--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', '--loglevel=error']
  const command = ['npm', 'install', '--prefix', folder, ...options, ...names]
  const { code, output } = await run(command, { cwd: folder, timeoutMs: NPM_TIMEOUT_MS, env: process.env })
  if (code !== 0) throw new Error(`npm install ${names.join(' ')} failed: ${output.trim()}`)
}

async function installDebian(name: string, packages: FromDebian, folder: string): Promise<void> {
  const obstacle = await debianObstacle()
  if (obstacle !== undefined) throw new Error(obstacle)
  const work = join(cacheFolder(), 'apt', `client-${name}`)
  const progress = progressPrinter({ write: (text) => process.stderr.write(`[${name}] ${text}`) })
  if (packages.kind === 'debian-source') {
    await unpackDebianSource(packages, work, folder, { progress })
  } else {
    await unpackDebianPackages(packages, work, folder, { progress })
    makeLinksRelative(folder, folder)
  }
  rmSync(work, { recursive: true, force: true })
}

/** Packages link to files by their place in the system (`/etc/java-17-openjdk/...`); here they are below `root`. */
function makeLinksRelative(root: string, folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) makeLinksRelative(root, path)
    if (!entry.isSymbolicLink()) continue
    const target = readlinkSync(path)
    if (!target.startsWith('/') || lstatSync(join(root, target), { throwIfNoEntry: false }) === undefined) continue
    rmSync(path)
    symlinkSync(relative(dirname(path), join(root, target)), path)
  }
}
