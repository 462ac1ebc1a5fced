import { describe, expect, it } from 'vitest'
import {
  AppliedState,
  Fit,
  fitOf,
  SessionState,
  textDifference,
  variableDifference,
  variableLiteral,
} from '../../../../src/worker/state/session-state.js'

function wanted(change: (state: SessionState) => void, schema = ''): SessionState {
  const state = new SessionState(schema)
  change(state)
  return state
}

describe('the difference between a session and a connection', () => {
  it('is nothing for a session that has set nothing, and after it was applied', () => {
    expect(variableDifference(new SessionState('shop'), new AppliedState())).toBeNull()
    const state = wanted((s) => {
      s.setNames('latin1')
      s.setVariable('sql_mode', 'ANSI_QUOTES')
      s.setUserVariable('v', { sql: '1', reading: '' })
    })
    const applied = new AppliedState()
    expect(variableDifference(state, applied)).not.toBeNull()
    applied.take(state)
    expect(variableDifference(state, applied)).toBeNull()
  })

  it.each<[string, (state: SessionState) => void, string]>([
    ['a text', (s) => s.setVariable('sql_mode', 'ANSI_QUOTES'), "SET SESSION sql_mode = 'ANSI_QUOTES'"],
    ['a number', (s) => s.setVariable('sort_buffer_size', '262144'), 'SET SESSION sort_buffer_size = 262144'],
    ['a text that looks like a number', (s) => s.setVariable('time_zone', '0'), "SET SESSION time_zone = '0'"],
    ['a quote inside', (s) => s.setVariable('lc_messages', "it's"), "SET SESSION lc_messages = 'it''s'"],
    ['an empty text', (s) => s.setVariable('sql_mode', ''), "SET SESSION sql_mode = ''"],
    [
      'no results charset',
      (s) => s.setVariable('character_set_results', ''),
      'SET SESSION character_set_results = NULL',
    ],
    ['SET NAMES', (s) => s.setNames("utf8mb4 COLLATE 'utf8mb4_bin'"), "SET NAMES utf8mb4 COLLATE 'utf8mb4_bin'"],
    ['a user variable', (s) => s.setUserVariable('v', { sql: "'x'", reading: '' }), "SET @`v` = 'x'"],
    ['a user variable with a backquote', (s) => s.setUserVariable('a`b', { sql: '1', reading: '' }), 'SET @`a``b` = 1'],
  ])('%s', (_name, change, sql) => {
    expect(variableDifference(wanted(change), new AppliedState())).toBe(sql)
  })

  it('sets names first, then variables, then user variables, each only where it differs', () => {
    const state = wanted((s) => {
      s.setVariable('sql_mode', 'ANSI')
      s.setVariable('sql_safe_updates', '1')
      s.setUserVariable('a', { sql: '1', reading: '' })
      s.setNames('latin1')
    })
    const applied = new AppliedState()
    applied.variables.set('sql_safe_updates', '1')
    expect(variableDifference(state, applied)).toBe("SET NAMES latin1, SESSION sql_mode = 'ANSI', @`a` = 1")
  })

  it('sql_big_selects is sent behind the max_join_size that would set it back, and is forgotten with another one', () => {
    const state = wanted((s) => {
      s.setVariable('sql_big_selects', '0')
      s.setVariable('max_join_size', '9')
      s.setVariable('sql_big_selects', '1')
    })
    const applied = new AppliedState()
    const both = 'SET SESSION max_join_size = 9, SESSION sql_big_selects = 1'
    expect(variableDifference(state, applied)).toBe(both)
    applied.take(wanted((s) => s.setVariable('max_join_size', '2')))
    applied.setVariableSql('sql_big_selects', '1')
    expect(variableDifference(state, applied)).toBe(both)
    applied.take(state)
    state.setVariable('max_join_size', '2')
    expect([...state.variables!.keys()]).toEqual(['max_join_size'])
    expect(fitOf(state, applied)).toBe(Fit.needsReset)
  })

  it('sends texts of user variables behind all that they are read with, in the bytes of the client', () => {
    const state = wanted((s) => {
      s.setNames('latin1')
      s.setUserVariable('a', { sql: "'\xe9'", reading: 'latin1' })
      s.setUserVariable('n', { sql: '1', reading: '' })
    })
    const applied = new AppliedState()
    expect(variableDifference(state, applied)).toBe('SET NAMES latin1, @`n` = 1')
    expect(textDifference(state, applied)).toEqual(Buffer.from("SET @`a` = '\xe9'", 'latin1'))
    applied.take(state)
    expect(textDifference(state, applied)).toBeNull()
  })

  it('a text of another session that was read in another way is another value', () => {
    const applied = new AppliedState()
    applied.take(wanted((s) => s.setUserVariable('a', { sql: "'x'", reading: 'utf8mb4' })))
    const state = wanted((s) => s.setUserVariable('a', { sql: "'x'", reading: 'latin1' }))
    expect(fitOf(state, applied)).toBe(Fit.differs)
    expect(textDifference(state, applied)?.toString()).toBe("SET @`a` = 'x'")
  })

  it('a charset variable that was set after SET NAMES is set again behind it, on every connection', () => {
    const state = wanted((s) => {
      s.setNames('utf8mb4')
      s.setVariable('character_set_results', '')
    })
    const applied = new AppliedState()
    applied.variables.set('character_set_results', 'NULL')
    expect(variableDifference(state, applied)).toBe('SET NAMES utf8mb4, SESSION character_set_results = NULL')
  })

  it('SET NAMES forgets what was set of its variables before', () => {
    const state = wanted((s) => {
      s.setVariable('character_set_results', '')
      s.setNames('utf8mb4')
    })
    expect(variableDifference(state, new AppliedState())).toBe('SET NAMES utf8mb4')
  })

  it('of character set and collation of the connection, which set each other, the last one counts', () => {
    const state = wanted((s) => {
      s.setVariable('character_set_connection', 'latin1')
      s.setVariable('collation_connection', 'utf8mb4_bin')
    })
    const applied = new AppliedState()
    applied.setVariableSql('collation_connection', "'utf8mb4_bin'")
    applied.setVariableSql('character_set_connection', "'latin1'")
    expect(fitOf(state, applied)).toBe(Fit.differs)
    expect(variableDifference(state, applied)).toBe("SET SESSION collation_connection = 'utf8mb4_bin'")
    applied.take(state)
    state.setVariable('character_set_connection', 'latin1')
    expect(variableDifference(state, applied)).toBe("SET SESSION character_set_connection = 'latin1'")
    applied.take(state)
    expect(fitOf(state, applied)).toBe(Fit.same)
  })

  it('what belongs to one connection or statement is never carried over', () => {
    const state = new SessionState('')
    const names = [
      'last_insert_id',
      'insert_id',
      'pseudo_thread_id',
      'gtid_next',
      'sql_log_bin',
      'rand_seed1',
      'timestamp',
    ]
    for (const name of names) expect(state.setVariable(name, '1'), name).toBe(false)
    expect(variableDifference(state, new AppliedState())).toBeNull()
    expect(state.version).toBe(0)
  })
})

describe('the version of a session', () => {
  it('goes up with every change, and not with a schema that is the current one already', () => {
    const state = new SessionState('shop')
    const changes: ((s: SessionState) => void)[] = [
      (s) => s.setVariable('sql_mode', ''),
      (s) => s.setNames('latin1'),
      (s) => s.setUserVariable('v', { sql: '1', reading: '' }),
      (s) => s.setSchema('other'),
      (s) => s.reset(45),
    ]
    for (const change of changes) {
      const before = state.version
      change(state)
      expect(state.version).toBeGreaterThan(before)
    }
    const before = state.version
    state.setSchema('other')
    expect(state.version).toBe(before)
  })

  it('a reset forgets variables and keeps the schema', () => {
    const state = wanted((s) => {
      s.setVariable('sql_mode', '')
      s.setUserVariable('v', { sql: '1', reading: '' })
      s.setNames('latin1')
    }, 'shop')
    state.reset(45)
    expect(state.schema).toBe('shop')
    expect(variableDifference(state, new AppliedState())).toBeNull()
  })
})

it('a literal is one SQL token whatever the value holds', () => {
  expect(variableLiteral('sql_mode', "x', global general_log = 'ON")).toBe("'x'', global general_log = ''ON'")
  expect(variableLiteral('x', '-1.5')).toBe('-1.5')
  expect(variableLiteral('x', '1e5')).toBe("'1e5'")
  expect(variableLiteral('default_storage_engine', 'MyISAM')).toBe('MyISAM')
  expect(variableLiteral('default_storage_engine', 'a, b')).toBe("'a, b'")
})

describe('a connection that others have used', () => {
  const applied = (change: (had: AppliedState) => void) => {
    const state = new AppliedState()
    change(state)
    return state
  }

  it('fits as it is, after a difference, or after a reset where it has more than is wanted', () => {
    const names = wanted((s) => s.setNames('latin1'))
    const mode = wanted((s) => s.setVariable('sql_mode', 'ANSI'))
    expect(
      fitOf(
        names,
        applied((had) => had.setNames('latin1')),
      ),
    ).toBe(Fit.same)
    expect(fitOf(names, new AppliedState())).toBe(Fit.differs)
    expect(
      fitOf(
        mode,
        applied((had) => void had.variables.set('sql_mode', "''")),
      ),
    ).toBe(Fit.differs)
    expect(
      fitOf(
        mode,
        applied((had) => void had.variables.set('time_zone', "'SYSTEM'")),
      ),
    ).toBe(Fit.needsReset)
    expect(
      fitOf(
        mode,
        applied((had) => void had.userVariables.set('v', { sql: '1', reading: '' })),
      ),
    ).toBe(Fit.needsReset)
    expect(
      fitOf(
        mode,
        applied((had) => had.setNames('latin1')),
      ),
    ).toBe(Fit.needsReset)
  })

  it('needs no reset for character sets that SET NAMES sets anew', () => {
    const names = wanted((s) => s.setNames('latin1'))
    const had = applied((state) => state.variables.set('character_set_results', "'utf8mb4'"))
    expect(fitOf(names, had)).toBe(Fit.differs)
    expect(variableDifference(names, had)).toBe('SET NAMES latin1')
    had.take(names)
    had.noteStale()
    expect(fitOf(names, had)).toBe(Fit.same)
    had.variables.set('character_set_results', "'utf8mb4'")
    expect(fitOf(names, had)).toBe(Fit.needsReset)
  })
})
