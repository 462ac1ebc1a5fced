import { expect, it } from 'vitest'
import { Capability } from '../../../../protocol/index.js'
import type { WorkerContext } from '../../../../src/worker/context.js'
import { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { SessionText } from '../../../../src/worker/session/session-text.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { snapshotOf } from '../fixture.js'

function textOf(capabilities: number, sqlMode?: string) {
  const snapshot = snapshotOf([])
  const view = new TopologyView({ ...snapshot, greeting: { ...snapshot.greeting, sqlMode } })
  const state = new SessionState('')
  const text = new SessionText({ view, classifyOptions: {} } as unknown as WorkerContext, state, capabilities)
  return { state, text }
}

it('CLIENT_IGNORE_SPACE counts until the session sets its sql_mode', () => {
  const { state, text } = textOf(Capability.IGNORE_SPACE)
  expect(text.options.ignoreSpace).toBe(true)
  state.setVariable('sql_mode', '')
  expect(text.options.ignoreSpace).toBe(false)
  state.setVariable('sql_mode', 'ANSI_QUOTES,IGNORE_SPACE')
  expect([text.options.ignoreSpace, text.options.ansiQuotes]).toEqual([true, true])
  state.reset(45)
  expect(text.options.ignoreSpace).toBe(true)
  text.leaveIgnoreSpace()
  expect(text.options.ignoreSpace).toBe(false)
})

it("DEFAULT is the server's own sql_mode", () => {
  const { state, text } = textOf(0, 'ANSI_QUOTES')
  expect(text.options.ansiQuotes).toBe(true)
  state.setVariableSql('sql_mode', 'DEFAULT')
  expect([text.options.ansiQuotes, text.options.ignoreSpace]).toEqual([true, false])
})
