import { expect, it } from 'vitest'
import { splitStatements } from '../../../src/sql/index.js'
import { OPTIONS } from './options.js'

const split = (text: string) => splitStatements(text, OPTIONS)

it('a text is cut at semicolons, but for those within quotes, names and comments', () => {
  expect(split('SET @a = \'x;y\' ; SELECT `a;b`, "c;" -- d; e\n;/* f; */')).toEqual([
    "SET @a = 'x;y'",
    'SELECT `a;b`, "c;"',
  ])
  expect(split('DO 1')).toEqual(['DO 1'])
  expect(split("SET @ü = 'é;'; DO 2;")).toEqual(["SET @ü = 'é;'", 'DO 2'])
})

it('what is empty is no statement', () => {
  expect([split(''), split(' ; ;; '), split('-- nothing')]).toEqual([[], [], []])
})

it('a quote or comment that does not end is told', () => {
  expect([split("SET @a = 'x; DO 1"), split('DO 1 /* ; ')]).toEqual([null, null])
})
