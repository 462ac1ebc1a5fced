import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { UsageError } from '../../../src/shared/errors.js'
import { type AdminAnswer, StatementError } from '../../../src/tools/admin-client.js'
import { diffLayers } from '../../../src/tools/config/diff.js'
import { importFile } from '../../../src/tools/config/import.js'
import { diskLayer, fileLayer } from '../../../src/tools/config/layers.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-layers-'))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

const SERVERS = 'servers: [{ host: a, weight: 1 }, { host: b, hostgroup: 1, max_replication_lag: 500ms }]\n'
const layer = (name: string, text: string) => fileLayer(file(name, text), {})

describe('the difference of two layers', () => {
  const before = layer(
    'before.yaml',
    `${SERVERS}users: [{ name: x, password: secret-one }, { name: y, password: p }]\n`,
  )
  const after = layer(
    'after.yaml',
    `servers: [{ host: a, weight: 2, comment: "\\e[2J" }, { host: c, hostgroup: 1 }]
users: [{ name: x, password: secret-two }, { name: y, password: p }]
limits: { max_connections: 5 }
monitor: { password: secret-three }\n`,
  )

  it('names what is gone, what is new and what has changed, and no secret', () => {
    expect(diffLayers(before, after)).toEqual([
      'MYSQL SERVERS',
      '  - mysql_servers (1, b, 3306)',
      '  + mysql_servers (1, c, 3306)',
      '  ~ mysql_servers (0, a, 3306): weight "1" -> "2"; comment "" -> "\\u001b[2J"',
      'MYSQL USERS',
      '  ~ mysql_users (x): password (hidden)',
      'MYSQL VARIABLES',
      expect.stringMatching(/^ {2}~ global_variables \(mysql-\w+\): variable_value /),
      expect.stringMatching(/^ {2}~ global_variables \(mysql-\w+\): variable_value /),
    ])
    const text = diffLayers(before, after).join('\n')
    expect(text).toContain('(mysql-max_connections): variable_value "10000" -> "5"')
    expect(text).toContain('(mysql-monitor_password): variable_value (hidden)')
    for (const secret of ['secret-one', 'secret-two', 'secret-three']) expect(text).not.toContain(secret)
  })

  it('is nothing between a layer and itself, and of sections that one does not have', () => {
    expect(diffLayers(before, before)).toEqual([])
    expect(diffLayers(before, new Map())).toEqual([])
    const path = file('unsaved.yaml', `${SERVERS}datadir: ${folder}/data\n`)
    expect(diffLayers(fileLayer(path, {}), diskLayer(path, {}))).toEqual([])
  })
})

describe('the import of a file', () => {
  /** A Sluice that refuses statements as told, with one server and one variable in memory. */
  function running(refuses: (sql: string) => boolean = () => false) {
    const statements: string[] = []
    const query = async (sql: string): Promise<AdminAnswer> => {
      if (sql.startsWith('SELECT')) {
        const rows = sql.endsWith('main.mysql_servers') ? [['7', "it's"]] : []
        return { kind: 'rows', columns: ['hostgroup_id', 'hostname'], rows }
      }
      if (refuses(sql)) throw new StatementError(1105, 'HY000', 'no')
      statements.push(sql)
      return { kind: 'done', affectedRows: 1, info: '' }
    }
    return { statements, target: { query } }
  }

  it('replaces the sections that the file speaks of, and no other', async () => {
    const { statements, target } = running()
    expect(await importFile(file('import.yaml', SERVERS), {}, target)).toEqual(['MYSQL SERVERS'])
    expect(statements[0]).toBe('DELETE FROM main.mysql_servers')
    expect(statements[1]).toMatch(/^INSERT INTO main\.mysql_servers \(hostgroup_id, hostname, .*\) VALUES \('0', 'a', /)
    expect(statements.some((sql) => /users|variables|rules/.test(sql))).toBe(false)
  })

  it('sets variables one by one, quotes doubled', async () => {
    const { statements, target } = running()
    const path = file('variables.yaml', `servers: []\nmonitor: { password: "it's" }\n`)
    expect(await importFile(path, {}, target)).toEqual(['MYSQL SERVERS', 'MYSQL VARIABLES'])
    expect(statements).toContain(
      "UPDATE main.global_variables SET variable_value = 'it''s' WHERE variable_name = 'mysql-monitor_password'",
    )
    expect(statements.some((sql) => sql.includes('admin-'))).toBe(false)
  })

  it('sends nothing of a file with a mistake', async () => {
    const { statements, target } = running()
    const path = file('wrong.yaml', 'servers: [{ host: a, weight: heavy }]\n')
    await expect(importFile(path, {}, target)).rejects.toThrow(UsageError)
    expect(statements).toEqual([])
  })

  it('puts back what was there when a row is refused', async () => {
    const { statements, target } = running((sql) => sql.includes("'b'"))
    await expect(importFile(file('refused.yaml', SERVERS), {}, target)).rejects.toThrow('ERROR 1105 (HY000): no')
    expect(statements.slice(-2)).toEqual([
      'DELETE FROM main.mysql_servers',
      "INSERT INTO main.mysql_servers (hostgroup_id, hostname) VALUES ('7', 'it''s')",
    ])
  })
})
