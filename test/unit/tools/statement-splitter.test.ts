import { describe, expect, it } from 'vitest'
import { StatementSplitter } from '../../../src/tools/statement-splitter.js'

/** Statements of some text; `\G` shows as a leading G:. */
function split(text: string): string[] {
  const splitter = new StatementSplitter()
  const done = text.split('\n').flatMap((line) => splitter.push(line))
  return [...done, ...splitter.finish()].map(({ sql, vertical }) => (vertical ? `G:${sql}` : sql))
}

describe('what ends a statement', () => {
  it.each<[string, string, string[]]>([
    ['a semicolon', 'select 1; select 2;', ['select 1', 'select 2']],
    ['the end of the input', 'select 1; select 2', ['select 1', 'select 2']],
    ['\\G, which asks for lines', 'show workers\\G show events\\g', ['G:show workers', 'show events']],
    ['nothing within single quotes', "select 'a;b', 'it''s;';", ["select 'a;b', 'it''s;'"]],
    ['nothing within double quotes', 'select "a;b" ;', ['select "a;b"']],
    ['nothing within names', 'select `a;b`, [c;d];', ['select `a;b`, [c;d]']],
    ['nothing within a comment', 'select /* ; */ 1;', ['select /* ; */ 1']],
    ['nothing within a comment to the end of the line', 'select 1 -- ;\n+ 1; # ;', ['select 1 -- ;\n+ 1']],
    ['a minus is none', 'select 1--2;', ['select 1--2']],
    ['a backslash does not hide a quote', "select '\\';", ["select '\\'"]],
    ['blanks and comments alone are no statement', ' ;; /* x */ ; -- y\n', []],
    ['a comment whose content counts is one', '/*!40101 SET NAMES utf8 */;', ['/*!40101 SET NAMES utf8 */']],
    ['\\c throws away', 'select nonsense \\c select 1;', ['select 1']],
    ['lines keep their ends', "select 1,\n'a\nb';", ["select 1,\n'a\nb'"]],
  ])('%s', (_name, text, expected) => {
    expect(split(text)).toEqual(expected)
  })
})

describe('what a prompt has to know', () => {
  it('says what is open, and whether anything is begun', () => {
    const splitter = new StatementSplitter()
    expect([splitter.pending, splitter.open]).toEqual([false, ''])
    splitter.push("select 'a")
    expect([splitter.pending, splitter.open]).toEqual([true, "'"])
    splitter.push("' /*")
    expect([splitter.pending, splitter.open]).toEqual([true, '/*'])
    splitter.push('*/')
    expect([splitter.pending, splitter.open]).toEqual([true, ''])
    splitter.push(';')
    expect([splitter.pending, splitter.open]).toEqual([false, ''])
    splitter.push("'x")
    splitter.clear()
    expect([splitter.pending, splitter.open, splitter.finish()]).toEqual([false, '', []])
  })
})
