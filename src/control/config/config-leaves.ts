import { z } from 'zod'
import { FLAG_SHAPE, type Shape, textShape, wholeShape, wordsShape } from './config-shapes.js'
import { nearest } from './nearest.js'

/** What the schema of sluice.yaml is made of: every scalar arrives as text, and says what it expects. */

/** A leaf of the file: text to value, or a sentence that begins with `expected`. */
export function leaf<T>(expected: string, read: (text: string) => T | undefined, shape: Shape = textShape()) {
  return z
    .unknown()
    .transform((value, context): T => {
      const result = typeof value === 'string' ? read(value) : undefined
      if (result !== undefined) return result
      context.issues.push({ code: 'custom', message: `expected ${expected}`, input: value })
      return z.NEVER
    })
    .meta({ ...shape, description: expected })
}

export function whole(min: number, max: number) {
  const read = (text: string): number | undefined => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max ? value : undefined
  }
  return leaf(`a whole number from ${min} to ${max}`, read, wholeShape(min, max))
}

export const text = leaf('a text', (value) => value)
export const nonEmptyText = leaf(
  'a text that is not empty',
  (value) => (value === '' ? undefined : value),
  textShape('.'),
)
const readFlag = (value: string): boolean | undefined => {
  if (value === 'true' || value === '1') return true
  return value === 'false' || value === '0' ? false : undefined
}
export const flag = leaf('true or false', readFlag, FLAG_SHAPE)
/** One of some words, whatever their case. */
export function oneOf<T extends string>(words: readonly T[]) {
  const read = (value: string): T | undefined => words.find((word) => word.toLowerCase() === value.toLowerCase())
  return leaf(words.join(', ').replace(/, ([^,]*)$/, ' or $1'), read, wordsShape(words))
}
export const jsonText = leaf('JSON, or nothing', (value) => {
  if (value === '') return value
  try {
    JSON.parse(value)
    return value
  } catch {
    return undefined
  }
})
const HOSTGROUP_MAX = 2_147_483_647
export const hostgroup = whole(0, HOSTGROUP_MAX)

const EXPECTED_MAP = 'expected a map of keys'

/** A default is a value after reading, `shown` what an editor shows of it; a key without one must be in the file. */
export function orElse<S extends z.ZodType, T>(schema: S, value: T, shown: unknown = value) {
  const isPlain = ['string', 'number', 'boolean'].includes(typeof shown)
  return schema
    .optional()
    .transform((given): z.output<S> | T => (given === undefined ? value : given))
    .meta(isPlain && shown !== '' ? { default: shown } : {})
}

export function map<S extends z.core.$ZodLooseShape>(shape: S) {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? unknownKey(String(issue['keys'][0]), known) : EXPECTED_MAP),
  })
}

function unknownKey(key: string, known: readonly string[]): string {
  const near = nearest(key, known)
  return `unknown key; ${near === null ? `known here: ${known.join(', ')}` : `did you mean "${near}"?`}`
}

export function listOf<S extends z.ZodType>(schema: S) {
  return z.array(schema, { error: 'expected a list' })
}

/** One value, or a list of at least one. */
export function oneOrMany<S extends z.ZodType>(schema: S) {
  const shape = schema.meta() ?? {}
  return z
    .unknown()
    .transform((value, context): z.output<S>[] => {
      const items: unknown[] = Array.isArray(value) ? value : [value]
      if (items.length === 0)
        context.issues.push({ code: 'custom', message: 'expected a list of at least 1', input: value })
      return items.flatMap((item, index) => {
        const parsed = schema.safeParse(item)
        if (parsed.success) return [parsed.data]
        const path = Array.isArray(value) ? [index] : []
        context.issues.push({ code: 'custom', message: parsed.error.issues[0].message, input: item, path })
        return []
      })
    })
    .meta({ anyOf: [shape, { type: 'array', items: shape, minItems: 1 }] })
}
