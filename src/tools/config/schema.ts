import { readFileSync } from 'node:fs'

/** Made from the keys that Sluice reads and from docs/configuration.md; a test keeps it true. */
const FILE = new URL('../../../../docs/sluice.schema.json', import.meta.url)

/** The JSON Schema of sluice.yaml, as text. */
export function configSchema(): string {
  return readFileSync(FILE, 'utf8')
}
