import { describe, expect, it } from 'vitest'
import { handlerNames } from '../../../src/sql/index.js'
import { classify, OPTIONS } from './options.js'

function names(text: string) {
  const buffer = Buffer.from(`xx${text}yy`)
  return handlerNames(buffer, 2, buffer.length - 2, OPTIONS)
}

describe('HANDLER', () => {
  it.each<[string, string | null, string | null]>([
    ['HANDLER t OPEN', 't', null],
    ['handler db.t open as `a b`;', 'a b', null],
    ['HANDLER db.t OPEN a -- x', 'a', null],
    ['HANDLER db.T OPEN', 't', null],
    ['HANDLER a CLOSE', null, 'a'],
    ["HANDLER a READ FIRST WHERE b = 'CLOSE' LIMIT 1", null, null],
    ['HANDLER a READ `idx` >= (1)', null, null],
  ])('%s', (text, opened, closed) => {
    expect(names(text)).toEqual({ opened, closed })
  })

  it.each(['HANDLER a CLOSE now', 'HANDLER a CLOSE; HANDLER b OPEN', 'HANDLER', "HANDLER 'a' OPEN", 'SELECT 1', ''])(
    'is not understood: %s',
    (text) => {
      expect(names(text)).toBeNull()
    },
  )
})

describe('the names of prepared statements, as the classifier gives them', () => {
  it.each<[string, string]>([
    ["PREPARE s1 FROM 'SELECT 1'", 's1'],
    ['PREPARE `odd name` FROM @text', 'odd name'],
    ['DEALLOCATE PREPARE s1', 's1'],
    ['drop prepare `odd name`', 'odd name'],
    ['EXECUTE s1 USING @a', 's1'],
  ])('%s', (text, name) => {
    expect(classify(text).argument).toBe(name)
  })
})
