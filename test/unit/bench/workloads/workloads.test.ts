import { describe, expect, it } from 'vitest'
import { insertStatements, TABLES } from '../../../../bench/data/tables.js'
import { Random } from '../../../../bench/stats/random.js'
import { type Script, WORKLOADS, workloadByName } from '../../../../bench/workloads/index.js'

const data = { rows: 200 }

function sqlOf(packet: Buffer): string {
  return packet.toString('utf8', 5)
}

function operation(script: Script): string[] {
  const statements = [sqlOf(script.first())]
  for (let packet = script.following(); packet !== null; packet = script.following()) statements.push(sqlOf(packet))
  return statements
}

function scriptOf(name: string, group = 0): Script {
  return workloadByName(name).groups(data)[group].script(new Random(5))
}

describe('workloads', () => {
  it('are found by name, and an unknown name is told the known ones', () => {
    expect(WORKLOADS.map(({ name }) => workloadByName(name).name)).toEqual(WORKLOADS.map(({ name }) => name))
    expect(() => workloadByName('x')).toThrow(/unknown workload x; known: point-select/)
  })

  it('share out all connections to their groups', () => {
    for (const workload of WORKLOADS) {
      const total = workload.groups(data).reduce((sum, { share }) => sum + share, 0)
      expect(total).toBeCloseTo(1, 10)
    }
  })

  it('select points within the table', () => {
    const script = scriptOf('point-select')
    const ids = new Set<number>()
    for (let count = 0; count < 5_000; count++) {
      const [sql] = operation(script)
      expect(sql).toMatch(/^SELECT c FROM sbtest1 WHERE id=\d+$/)
      ids.add(Number(sql.split('=')[1]))
    }
    expect(Math.min(...ids)).toBe(1)
    expect(Math.max(...ids)).toBe(data.rows)
  })

  it('write as oltp_read_write does: 20 statements, and a deleted row comes back in the same transaction', () => {
    const statements = operation(scriptOf('read-write'))
    const kinds = statements.map((sql) => sql.split(' ')[0])
    expect(kinds).toEqual([
      'BEGIN',
      ...Array<string>(14).fill('SELECT'),
      'UPDATE',
      'UPDATE',
      'DELETE',
      'INSERT',
      'COMMIT',
    ])
    const deleted = statements[17].match(/id=(\d+)$/)?.[1]
    expect(statements[18]).toContain(`VALUES (${deleted},`)
  })

  it('only read with readers and only write with writers', () => {
    const statements = (group: number) => {
      const script = scriptOf('mixed', group)
      return Array.from({ length: 500 }, () => operation(script)[0].split(' ')[0])
    }
    expect(new Set(statements(0))).toEqual(new Set(['SELECT']))
    expect(new Set(statements(1))).toEqual(new Set(['INSERT', 'UPDATE']))
  })

  it('patch the statement id into prepared executions', () => {
    const script = scriptOf('prepared-point-select')
    expect(script.prepare?.map(sqlOf)).toEqual(['SELECT c FROM sbtest1 WHERE id=?'])
    script.prepared?.([77])
    expect(script.first().readUInt32LE(5)).toBe(77)
  })
})

describe('the data set', () => {
  it('is the same every time and has as many rows as was asked for', () => {
    for (const table of Object.values(TABLES)) {
      const statements = [...insertStatements(table, 30, 7)]
      expect(statements).toEqual([...insertStatements(table, 30, 7)])
      const rows = statements.join().match(/\(\d+, /g)
      expect(rows).toHaveLength(table.size(30))
    }
  })
})
