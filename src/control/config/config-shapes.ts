/**
 * What an editor is told of a leaf of sluice.yaml: JSON Schema, for docs/sluice.schema.json. Sluice itself reads every scalar as
 * text; an editor has made numbers and booleans of them by YAML's rules, and sees `${NAME}` as text.
 */
export interface Shape {
  readonly anyOf: readonly Readonly<Record<string, unknown>>[]
}

const REFERENCE = { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}' }

export function wholeShape(min: number, max: number): Shape {
  return {
    anyOf: [{ type: 'integer', minimum: min, maximum: max }, { type: 'string', pattern: '^[0-9]{1,16}$' }, REFERENCE],
  }
}

/** @param pattern of the texts that are right; a number or boolean as YAML sees it is a text here */
export function textShape(pattern?: string): Shape {
  if (pattern === undefined) return { anyOf: [{ type: ['string', 'number', 'boolean'] }] }
  return { anyOf: [{ type: 'string', pattern }, { type: ['number', 'boolean'] }, REFERENCE] }
}

export const FLAG_SHAPE: Shape = {
  anyOf: [{ type: 'boolean' }, { enum: [0, 1] }, { enum: ['true', 'false', '0', '1'] }, REFERENCE],
}

/** Words in any case; the editor proposes them as they are written here. */
export function wordsShape(words: readonly string[]): Shape {
  const anyCase = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/[a-z]/gi, eitherCase))
  // `off` is a boolean to YAML 1.1, and so to some editors.
  const off = words.includes('off') ? [{ const: false }] : []
  return { anyOf: [{ enum: words }, { type: 'string', pattern: `^(${anyCase.join('|')})$` }, ...off, REFERENCE] }
}

export function orShape(...shapes: readonly Shape[]): Shape {
  const all = shapes.flatMap(({ anyOf }) => anyOf).filter((one) => one !== REFERENCE)
  return { anyOf: [...all, REFERENCE] }
}

function eitherCase(letter: string): string {
  return `[${letter.toUpperCase()}${letter.toLowerCase()}]`
}
