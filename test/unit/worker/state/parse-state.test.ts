import { expect, it } from 'vitest'
import {
  hasOtherCharsets,
  parseStateOf,
  readingOf,
  stateForParsing,
  textsReadOtherwise,
  undoParseState,
} from '../../../../src/worker/state/parse-state.js'
import { AppliedState, SessionState, variableDifference } from '../../../../src/worker/state/session-state.js'

const UTF8MB4_GENERAL = 45

/** What a connection with `applied` is sent before a text is prepared there that was read under `parsed`. */
function sent(parsed: SessionState, applied: AppliedState, ignoresSpace = false): string | null {
  const wanted = stateForParsing(parseStateOf(parsed), { applied, ignoresSpace })
  if (hasOtherCharsets(applied, wanted)) applied.forgetNames()
  const difference = variableDifference(wanted, applied)
  applied.take(wanted)
  return difference
}

function session(change: (state: SessionState) => void = () => {}): SessionState {
  const state = new SessionState('', UTF8MB4_GENERAL)
  change(state)
  return state
}

function connectionOf(state: SessionState): AppliedState {
  const applied = new AppliedState()
  applied.take(state)
  return applied
}

it('only what decides how a text is read is a part of it', () => {
  const both = session((state) => {
    state.setVariable('sql_mode', 'ANSI_QUOTES')
    state.setVariable('time_zone', '+00:00')
  })
  const mode = session((state) => state.setVariable('sql_mode', 'ANSI_QUOTES'))
  expect(parseStateOf(both).key).toBe(parseStateOf(mode).key)
  expect(parseStateOf(both).key).not.toBe(parseStateOf(session()).key)
})

it('texts of user variables are known to be read otherwise once something is set by which texts are read', () => {
  const state = session()
  state.setUserVariable('text', { sql: "'x'", reading: readingOf(state) })
  state.setUserVariable('number', { sql: '1', reading: '' })
  state.setSchema('shop')
  state.setVariable('time_zone', '+00:00')
  expect(textsReadOtherwise(state)).toEqual([])
  state.setNames('latin1')
  expect(textsReadOtherwise(state)).toEqual(['text'])
  state.setUserVariable('text', { sql: "'x'", reading: readingOf(state) })
  expect(textsReadOtherwise(state)).toEqual([])
})

it('what was not set yet is as after the login, CLIENT_IGNORE_SPACE included', () => {
  const now = session((state) => state.setVariable('sql_mode', ''))
  expect(sent(session(), connectionOf(now))).toBe('SET SESSION sql_mode = DEFAULT')
  expect(sent(session(), connectionOf(now), true)).toBe(
    "SET SESSION sql_mode = CONCAT(@@GLOBAL.sql_mode, ',IGNORE_SPACE')",
  )
  expect(sent(session(), connectionOf(session()), true)).toBeNull()
})

it('character sets that were set one by one since do not remain', () => {
  const then = session((state) => state.setNames('latin1'))
  const now = session((state) => {
    state.setNames('latin1')
    state.setVariable('character_set_client', 'utf8mb4')
  })
  const applied = connectionOf(now)
  expect(sent(then, applied)).toBe('SET NAMES latin1')
  expect(undoParseState(now, applied, UTF8MB4_GENERAL)).toBeNull()
  expect(variableDifference(now, applied)).toBe("SET SESSION character_set_client = 'utf8mb4'")
})

it('names that were set since are undone, and set again', () => {
  const now = session((state) => state.setNames('latin1'))
  const applied = connectionOf(now)
  expect(sent(session(), applied)).toBe("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_general_ci'")
  expect(variableDifference(now, applied)).toBe('SET NAMES latin1')
})

it('what init_connect has set is what a connection goes back to', () => {
  const now = session((state) => state.setVariable('sql_mode', ''))
  const applied = connectionOf(now)
  applied.initial.set('sql_mode', "'STRICT_ALL_TABLES'")
  expect(sent(session(), applied, true)).toBe("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
  const then = connectionOf(session((state) => state.setVariable('sql_mode', 'ANSI_QUOTES')))
  then.initial.set('sql_mode', "'STRICT_ALL_TABLES'")
  expect(undoParseState(session(), then, UTF8MB4_GENERAL)).toBe("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
})
