import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { columnsOf } from '../../../../src/control/admin/engine/schema.js'
import { CONFIG_SCHEMA } from '../../../../src/control/config/config-schema.js'
import { SECTION_TABLES, SECTIONS } from '../../../../src/control/config-store/sections.js'
import { VARIABLES } from '../../../../src/control/config-store/variable-table.js'

/** What a running proxy has from its file alone. */
const FILE_ONLY = ['api', 'datadir', 'pass_through']
/** Keys of the top level that hold maps with a variable for each key. */
const MAPS_OF_VARIABLES = ['limits', 'monitor', 'consistency', 'query_digests', 'query_cache', 'tls', 'backend_tls']

describe('the sections', () => {
  it('have every key of the file, each in one section, but for those that are the file’s alone', () => {
    const keys = SECTIONS.flatMap((section) => [...section.keys])
    expect([...keys, ...FILE_ONLY].sort()).toEqual(Object.keys(CONFIG_SCHEMA.shape).sort())
  })

  it('have a variable for every setting that is not a row', () => {
    const paths = new Set(VARIABLES.map(({ path }) => path.join('.')))
    for (const key of MAPS_OF_VARIABLES) {
      const { data } = CONFIG_SCHEMA.shape[key as 'limits'].safeParse({})
      for (const name of Object.keys(data ?? {})) expect(paths, `${key}.${name}`).toContain(`${key}.${name}`)
    }
  })

  it('have their variables in docs/admin.md', () => {
    const page = readFileSync(new URL('../../../../docs/admin.md', import.meta.url), 'utf8')
    const listed = [...page.matchAll(/^\| `((?:mysql|admin)-\w+)` \|/gm)].map((match) => match[1])
    expect(listed.sort()).toEqual(VARIABLES.map(({ name }) => name).sort())
  })

  it('know their tables’ columns: rows of a file have exactly those', () => {
    for (const table of SECTION_TABLES.keys()) expect(columnsOf(table).length, table).toBeGreaterThan(1)
    const parsed = CONFIG_SCHEMA.parse({
      servers: [{ host: 'db1', use_ssl: '1', ssl_ca: 'ca.pem' }],
      replication_hostgroups: [{ writer: '0', reader: '1' }],
      hostgroup_attributes: [{ hostgroup: '0' }],
      users: [{ name: 'app', password: 'x' }],
      query_rules: [{ rule_id: '1' }],
      query_rules_fast_routing: [{ username: '', schemaname: 'a', destination_hostgroup: '0' }],
      scheduler: [{ id: '1', interval_ms: '100', filename: '/x' }],
      proxysql_servers: [{ hostname: 'a' }],
    })
    for (const section of SECTIONS) {
      for (const [table, rows] of section.toRows(parsed, {})) {
        for (const row of rows) expect(Object.keys(row), table).toEqual(columnsOf(table))
      }
    }
  })
})
