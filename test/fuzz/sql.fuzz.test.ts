import { describe, expect, it } from 'vitest'
import {
  advisoryLocks,
  Classifier,
  type ClassifyOptions,
  Digester,
  digestText,
  EMPTY_CATALOGUE,
  handlerNames,
  parseSet,
  StatementKind,
  temporaryTables,
} from '../../src/sql/index.js'
import { ALL_VERSIONS, Scanner, T } from '../../src/sql/scanner.js'
import { GROUPS } from '../unit/sql/classifier.cases.js'
import { ITERATIONS, SEED } from './fuzz.js'
import { Random } from './random.js'

/** Of each of the targets below: their share of all inputs. */
const RUNS = Math.ceil(ITERATIONS / 40)
/** An input of the long mode takes 1 ms or so, more on a busy machine. */
const TIMEOUT_MS = 60_000 + 20 * RUNS

const source = new Random(`${SEED} sql`)
const random = (): number => source.fraction()
/** Lets the test runner's own messages through. */
const breathe = () => new Promise((resolve) => setImmediate(resolve))
const below = (n: number): number => Math.floor(random() * n)
const pick = <V>(from: readonly V[]): V => from[below(from.length)] as V

const STATEMENTS = GROUPS.flatMap((g) => g.statements.map((text) => ({ text, kind: g.kind, options: g.options })))
const WORDS = [...new Set(STATEMENTS.flatMap(({ text }) => text.split(/(\s+|\b)/)))].filter((word) => word !== '')
const BLANKS = [' ', '\n', '\t', '/* c */', '/**/', '-- c\n', '# c\n', '/* it\'s "`; */', '\r\n\v\f']

function optionsOf(more: Partial<ClassifyOptions>): ClassifyOptions {
  return {
    flavor: 'mysql',
    ansiQuotes: false,
    noBackslashEscapes: false,
    truncated: false,
    schema: 's',
    catalogue: EMPTY_CATALOGUE,
    ...more,
  }
}

function randomOptions(): ClassifyOptions {
  return optionsOf({
    flavor: pick(['mysql', 'mariadb'] as const),
    ansiQuotes: random() < 0.3,
    noBackslashEscapes: random() < 0.3,
    truncated: random() < 0.3,
    ignoreSpace: random() < 0.3,
    backslashTrailBytes: random() < 0.3,
  })
}

/** Something between noise and SQL. */
function randomText(): Buffer {
  const style = random()
  if (style < 0.2) return Buffer.from(Array.from({ length: below(80) }, () => below(256)))
  if (style < 0.6) return Buffer.from(Array.from({ length: below(25) }, () => pick(WORDS)).join(pick(['', ' '])))
  const text = Buffer.from(pick(STATEMENTS).text)
  const mutated = Buffer.from(text)
  for (let i = below(4); i > 0 && mutated.length > 0; i--)
    mutated[below(mutated.length)] = pick([...text, 39, 96, 42, 47, 0])
  const cut = random() < 0.3 ? below(mutated.length + 1) : mutated.length
  return mutated.subarray(0, cut)
}

const classifier = new Classifier()
const digester = new Digester()

function facts(text: string | Buffer, options: ClassifyOptions) {
  const buffer = Buffer.from(text)
  const { kind, effects, hint, hostgroup, statements } = classifier.classify(buffer, 0, buffer.length, options)
  return { kind, effects, hint, hostgroup, statements }
}

describe(`any text at all (SLUICE_FUZZ_SEED=${SEED})`, () => {
  it('is classified, digested and parsed without an error, and without a look beyond its end', {
    timeout: TIMEOUT_MS,
  }, async () => {
    for (let run = 0; run < RUNS; run++) {
      if (run % 1000 === 0) await breathe()
      const text = randomText()
      const options = randomOptions()
      // The same text with a hostile neighbourhood must read the same.
      const before = Buffer.from(pick(['', '/* sluice: primary */ ', "'", '/*!', 'x']))
      const after = Buffer.from(pick(['', "'", '*/', ' FOR UPDATE', 'x', '=', '(', '@', '*/ FOR UPDATE']))
      const around = Buffer.concat([before, text, after])
      const { kind, effects, hint, hostgroup, statements, keywordStart, schemaEnd, argumentEnd, causalEnd } =
        classifier.classify(around, before.length, before.length + text.length, options)
      const note = `SLUICE_FUZZ_SEED=${SEED} run ${run}: ${JSON.stringify(text.toString('latin1'))}`
      expect({ kind, effects, hint, hostgroup, statements }, note).toEqual(facts(text, options))
      expect(keywordStart === -1 || keywordStart >= before.length, note).toBe(true)
      for (const end of [schemaEnd, argumentEnd, causalEnd]) expect(end <= before.length + text.length, note).toBe(true)
      expect(effects >= 0 && effects < 2 ** 31, note).toBe(true)
      const digest = digestText(digester.digest(around, before.length, before.length + text.length, options))
      expect(digest, note).toBe(digestText(digester.digest(text, 0, text.length, options)))
      for (const read of [parseSet, temporaryTables, advisoryLocks, handlerNames])
        expect(read(around, before.length, before.length + text.length, options), note).toEqual(
          read(text, 0, text.length, options),
        )
    }
  })

  it('is cut into tokens that advance and stay inside of it', { timeout: TIMEOUT_MS }, async () => {
    const scanner = new Scanner()
    for (let run = 0; run < RUNS; run++) {
      if (run % 1000 === 0) await breathe()
      const text = randomText()
      const note = `SLUICE_FUZZ_SEED=${SEED} run ${run}: ${JSON.stringify(text.toString('latin1'))}`
      scanner.reset(text, 0, text.length, randomOptions(), ALL_VERSIONS, null)
      let last = 0
      for (let type = scanner.next(); type !== T.end && type !== T.bad; type = scanner.next()) {
        expect(scanner.start, note).toBeGreaterThanOrEqual(last)
        expect(scanner.stop, note).toBeGreaterThan(scanner.start)
        last = scanner.stop
      }
      expect(last, note).toBeLessThanOrEqual(text.length)
    }
  })

  it('is never taken for a read when it is only a beginning', { timeout: TIMEOUT_MS }, async () => {
    const readLike: number[] = [StatementKind.read, StatementKind.do, StatementKind.diagnostics, StatementKind.show]
    for (let run = 0; run < RUNS; run++) {
      if (run % 1000 === 0) await breathe()
      const text = randomText()
      const { kind } = facts(text, { ...randomOptions(), truncated: true })
      expect(readLike, `SLUICE_FUZZ_SEED=${SEED} ${JSON.stringify(text.toString('latin1'))}`).not.toContain(kind)
    }
  })
})

describe(`statements of the table (SLUICE_FUZZ_SEED=${SEED})`, () => {
  it('mean the same with blanks and comments around them and instead of their blanks', {
    timeout: TIMEOUT_MS,
  }, async () => {
    for (let run = 0; run < RUNS; run++) {
      if (run % 1000 === 0) await breathe()
      const { text, options } = pick(STATEMENTS)
      const all = optionsOf(options)
      const plain = facts(text, all)
      const note = `SLUICE_FUZZ_SEED=${SEED} run ${run}: ${text}`
      const around = Array.from({ length: 3 }, () => pick(BLANKS)).join('')
      if (plain.kind !== StatementKind.unknown) {
        expect(facts(`${around}${text}\n${around}`, all), note).toEqual(plain)
        expect(facts(`${around}${text}\n;${around}`, all).kind, note).toBe(plain.kind)
      }
      // Blanks inside strings are text, and a line's end ends a comment.
      if (!/['"`#@]|--|\/\*/.test(text))
        expect(
          facts(
            text.replace(/\s+/g, () => pick(BLANKS)),
            all,
          ),
          note,
        ).toEqual(plain)
    }
  })

  it('mean the same in any case of letters', () => {
    for (const { text, options } of STATEMENTS) {
      const all = optionsOf(options)
      const mixed = [...text].map((c, i) => (i % 2 === 0 ? c.toUpperCase() : c.toLowerCase())).join('')
      const { kind, effects } = facts(text, all)
      // Names of schemas may depend on their case, and so the catalogue's answers.
      if (options.catalogue === undefined && !/\\/.test(text))
        expect(facts(mixed, all), text).toMatchObject({ kind, effects })
    }
  })

  it('with a comment that runs on some versions only are never taken for less than the statement without it', () => {
    const care: number[] = [StatementKind.read, StatementKind.primaryRead, StatementKind.write]
    for (const { text, options } of STATEMENTS) {
      const all = optionsOf(options)
      const { kind } = facts(text, all)
      if (!care.includes(kind) || /[#]|--|;/.test(text)) continue
      const gated = facts(`${text} /*!99999 LIMIT 1 */`, all).kind
      expect(gated === StatementKind.unknown || care.indexOf(gated) >= care.indexOf(kind), text).toBe(true)
    }
  })
})
