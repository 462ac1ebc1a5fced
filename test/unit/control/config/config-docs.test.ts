import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  CONFIG_SCHEMA,
  DEFAULT_CONSISTENCY_SECTION,
  DEFAULT_DIGESTS_SECTION,
  DEFAULT_LIMITS,
  DEFAULT_MONITOR,
} from '../../../../src/control/config/config-schema.js'

const page = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8')

/** The rows of the table under a heading, by their first cell without back-ticks. */
function table(heading: string): Map<string, string[]> {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.map((line) => {
      const cells = line.split('|').map((cell) => cell.trim().replaceAll('`', ''))
      return [cells[1], cells.slice(2)]
    }),
  )
}

it('every top-level key of the file is in docs/configuration.md', () => {
  expect([...table('Top level').keys()].sort()).toEqual(Object.keys(CONFIG_SCHEMA.shape).sort())
})

it.each([
  ['`monitor`', DEFAULT_MONITOR],
  ['`limits`', DEFAULT_LIMITS],
  ['`query_digests`', DEFAULT_DIGESTS_SECTION],
  ['`consistency`', { ...DEFAULT_CONSISTENCY_SECTION, pin: 'session' }],
])('docs/configuration.md has the keys and defaults of %s', (heading, defaults) => {
  const rows = table(heading)
  expect([...rows.keys()].sort()).toEqual(Object.keys(defaults).sort())
  for (const [key, value] of Object.entries(defaults)) expect(rows.get(key)?.[0], key).toBe(String(value))
})
