import { describe, expect, it } from 'vitest'
import { GROUPS } from './classifier.cases.js'
import { classify } from './options.js'

describe('kind and effects', () => {
  it('are told for more than 450 different statements', () => {
    const texts = new Set(GROUPS.flatMap((g) => g.statements.map((text) => `${g.options.flavor}:${text}`)))
    expect(texts.size).toBeGreaterThanOrEqual(450)
  })

  for (const { kind, effects, options, statements } of GROUPS) {
    const title = effects.length === 0 ? kind : `${kind} with ${effects.join(', ')}`
    it.each(statements.map((text) => [text]))(`${title}: %s`, (text) => {
      const found = classify(text, options)
      expect({ kind: found.kind, effects: [...found.effects].sort() }).toEqual({ kind, effects: [...effects].sort() })
    })
  }
})
