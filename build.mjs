// Makes a fresh clone runnable: installs what package-lock.json names, unless that is there, and compiles.
// Plain JavaScript on Node alone, since nothing else is there before it has run.
import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MIN = [20, 19]
const root = dirname(fileURLToPath(import.meta.url))

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

function isInstalled() {
  const installed = `${root}/node_modules/.package-lock.json`
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(`${root}/package-lock.json`).mtimeMs
}

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  process.stderr.write(`sluice needs Node ${NODE_MIN.join('.')} or newer; this is ${process.versions.node}\n`)
  process.exit(2)
}
// `npm ci` empties the folder that it installs into: behind a link that is somebody else's.
if (!isInstalled() && lstatSync(`${root}/node_modules`, { throwIfNoEntry: false })?.isSymbolicLink()) {
  process.stderr.write('node_modules is a link to a folder that is not up to date: run npm ci there\n')
  process.exit(2)
}
if (!isInstalled()) {
  process.stderr.write('installing packages (npm ci)\n')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
}
process.stderr.write('compiling\n')
run(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, '-p', root])
