import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `version` of package.json, which stands above both the sources and the compiled files. */
export const SLUICE_VERSION: string = readVersion(dirname(fileURLToPath(import.meta.url)))

function readVersion(folder: string): string {
  const file = join(folder, 'package.json')
  if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  const parent = dirname(folder)
  if (parent === folder) throw new Error('package.json is missing from this installation')
  return readVersion(parent)
}
