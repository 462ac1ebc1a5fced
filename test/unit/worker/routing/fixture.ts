import { Hint, StatementKind } from '../../../../src/sql/index.js'
import type { RouteInput } from '../../../../src/worker/routing/router.js'
import type { TopologyView } from '../../../../src/worker/routing/topology-view.js'
import { SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { needOf, USER } from '../fixture.js'

/** A read of a session that has just begun, but for what `more` says. */
export function routeInput(view: TopologyView, more: Partial<RouteInput> = {}): RouteInput {
  const facts = more.facts ?? new SessionFacts(USER)
  return {
    kind: StatementKind.read,
    effects: 0,
    hint: Hint.none,
    hintHostgroup: -1,
    ruleHostgroup: -1,
    ruleReason: '',
    facts,
    need: needOf(facts),
    learned: false,
    own: null,
    view,
    excluded: null,
    now: 1_000,
    random: 0.5,
    ...more,
  }
}
