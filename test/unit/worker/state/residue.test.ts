import { describe, expect, it } from 'vitest'
import { Effect, StatementKind } from '../../../../src/sql/index.js'
import type { Backend } from '../../../../src/worker/backend/backend.js'
import type { CommandInHand } from '../../../../src/worker/session/command.js'
import { Keep, Residue } from '../../../../src/worker/state/residue.js'

type Answer = Partial<Record<'errno' | 'warnings' | 'affectedRows' | 'lastInsertId' | 'rows', number>>

/** What is left after one statement, and the connection that it ran on. */
function resultOf(answer: Answer, { kind = StatementKind.write as number, effects = 0 } = {}) {
  const residue = new Residue()
  const follower = { errno: 0, warnings: 0, affectedRows: 0, lastInsertId: 0, rows: 0, ...answer }
  const backend = { follower } as unknown as Backend
  residue.learn({ kind, effects } as CommandInHand, backend)
  return { residue, backend, keep: residue.keepOn(backend, true) }
}
const READ = { kind: StatementKind.read }

describe('what a statement leaves behind', () => {
  it('nothing that matters keeps a connection: it can be brought about elsewhere', () => {
    for (const affectedRows of [0, 1]) expect(resultOf({ affectedRows }).keep).toBe(Keep.nothing)
    expect(resultOf({ rows: 5 }, READ).keep).toBe(Keep.nothing)
  })

  it('LAST_INSERT_ID() has to be asked for where it was made, or may have been', () => {
    expect(resultOf({ affectedRows: 1, lastInsertId: 7 }).keep).toBe(Keep.insertId)
    expect(resultOf({}, { ...READ, effects: Effect.setsLastInsertId }).keep).toBe(Keep.insertId)
  })

  it('warnings, errors and counts of several rows are known to their connection alone', () => {
    expect(resultOf({ warnings: 1 }).keep).toBe(Keep.diagnostics)
    expect(resultOf({ errno: 1146 }).keep).toBe(Keep.diagnostics)
    expect(resultOf({ affectedRows: 2 }).keep).toBe(Keep.diagnostics)
    expect(resultOf({ rows: 1 }, { ...READ, effects: Effect.sqlCalcFoundRows }).keep).toBe(Keep.diagnostics)
    expect(resultOf({}, { kind: StatementKind.call }).keep).toBe(Keep.diagnostics)
  })

  it('and no other connection is kept for them', () => {
    const { residue, backend } = resultOf({ warnings: 1, lastInsertId: 7 })
    expect(residue.keepOn(backend, false)).toBe(Keep.insertId)
    expect(residue.keepOn({} as Backend, false)).toBe(Keep.nothing)
  })

  it('is brought about by a statement that leaves the same', () => {
    const nothing = "DO (SELECT COUNT(*) FROM JSON_TABLE('[]', '$[*]' COLUMNS (n INT PATH '$')) AS sluice)"
    expect(resultOf({}).residue.reproduction).toBe(nothing)
    expect(resultOf({ affectedRows: 1 }).residue.reproduction).toMatch(/JSON_TABLE\('\[0\]'.* INTO @/)
    expect(resultOf({ rows: 0 }, READ).residue.reproduction).toMatch(/^SELECT 1 FROM JSON_TABLE\('\[\]'/)
    expect(resultOf({ rows: 1 }, READ).residue.reproduction).toMatch(/^SELECT 1 FROM JSON_TABLE\('\[0\]'/)
    expect(resultOf({ rows: 3 }, READ).residue.reproduction).toContain("CONCAT('[0', REPEAT(',0', 2), ']')")
    // ROW_COUNT() is -1 after an error, as after rows.
    expect(resultOf({ errno: 1792 }).residue.reproduction).toMatch(/^SELECT 1 FROM JSON_TABLE\('\[\]'/)
    expect(resultOf({ affectedRows: 2 }).residue.reproduction).toBe(nothing)
  })
})
