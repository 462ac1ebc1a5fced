import {
  Classifier,
  type ClassifyOptions,
  EMPTY_CATALOGUE,
  explainEffects,
  StatementKindName,
} from '../../../src/sql/index.js'

export const OPTIONS: ClassifyOptions = {
  flavor: 'mysql',
  ansiQuotes: false,
  noBackslashEscapes: false,
  truncated: false,
  schema: 's',
  catalogue: EMPTY_CATALOGUE,
}

const classifier = new Classifier()

/** The result for a text, with names for kind and effects and the texts of its ranges. */
export function classify(text: string, options: Partial<ClassifyOptions> = {}) {
  const buffer = Buffer.from(text)
  const found = classifier.classify(buffer, 0, buffer.length, { ...OPTIONS, ...options })
  const range = (start: number, end: number): string | null => (start < 0 ? null : buffer.toString('utf8', start, end))
  return {
    kind: StatementKindName[found.kind],
    effects: explainEffects(found.effects),
    hint: found.hint,
    hostgroup: found.hostgroup,
    statements: found.statements,
    keyword: range(found.keywordStart, found.keywordEnd),
    schema: range(found.schemaStart, found.schemaEnd),
    argument: range(found.argumentStart, found.argumentEnd),
    causal: range(found.causalStart, found.causalEnd),
    consistency: range(found.consistencyStart, found.consistencyEnd),
  }
}
