import { parseLagMs } from '../../shared/durations.js'
import type { QueryRule } from '../../shared/query-rules.js'
import { CONSISTENCY_LEVELS } from '../../shared/snapshot.js'
import { nearest } from './nearest.js'

/* Columns of mysql_query_rules whose text holds several values. */

/** What re_modifiers says; null: it is not understood. */
export function parseReModifiers(text: string): { readonly caseless: boolean; readonly global: boolean } | null {
  const words = text
    .split(',')
    .map((word) => word.trim().toUpperCase())
    .filter((word) => word !== '')
  if (words.some((word) => word !== 'CASELESS' && word !== 'GLOBAL')) return null
  return { caseless: words.includes('CASELESS'), global: words.includes('GLOBAL') }
}

type OwnAttributes = Pick<QueryRule, 'consistency' | 'maxReplicationLagMs' | 'causal' | 'invalidation'>

const KEY = 'sluice'
const CAUSAL_LENGTH_MAX = 255

/**
 * What `attributes` says of what is Sluice's own: `{"sluice": {"consistency": "eventual", "max_replication_lag": "500ms",
 * "causal": "orders", "invalidation": "off"}}`. Other keys beside `sluice` are ProxySQL's and are left alone.
 * @returns a sentence that begins with `expected` where it is not understood
 */
export function parseAttributes(text: string): OwnAttributes | string {
  if (text === '') return {}
  const all = parseObject(text)
  if (all === null) return 'expected a JSON object, or nothing'
  const misplaced = Object.keys(READERS).find((name) => Object.hasOwn(all, name))
  if (misplaced !== undefined) return `expected ${JSON.stringify({ [KEY]: { [misplaced]: all[misplaced] } })}`
  if (!Object.hasOwn(all, KEY)) return {}
  const own = all[KEY]
  if (!isObject(own)) return `expected an object under "${KEY}"`
  return readOwn(own)
}

const READERS: Readonly<Record<string, (value: unknown) => OwnAttributes | string>> = {
  consistency: (value) => {
    const level = CONSISTENCY_LEVELS.find((name) => name === String(value).toLowerCase())
    return level === undefined ? `expected one of ${CONSISTENCY_LEVELS.join(', ')}` : { consistency: level }
  },
  max_replication_lag: (value) => {
    const isText = typeof value === 'string' || typeof value === 'number'
    const ms = isText ? parseLagMs(String(value)) : -1
    return ms < 0 ? 'expected a time such as "500ms" or "5s"' : { maxReplicationLagMs: ms }
  },
  causal: (value) =>
    typeof value === 'string' && value !== '' && value.length <= CAUSAL_LENGTH_MAX
      ? { causal: value }
      : `expected a text of 1 to ${CAUSAL_LENGTH_MAX} characters`,
  invalidation: (value) => (value === 'off' ? { invalidation: value } : 'expected "off"'),
}

function readOwn(own: Readonly<Record<string, unknown>>): OwnAttributes | string {
  let found: OwnAttributes = {}
  for (const [name, value] of Object.entries(own)) {
    const read = Object.hasOwn(READERS, name) ? READERS[name] : undefined
    if (read === undefined) {
      const near = nearest(name, Object.keys(READERS))
      const known = near === null ? Object.keys(READERS).join(', ') : `did you mean "${near}"?`
      return `unknown key "${name}" under "${KEY}"; ${near === null ? `known here: ${known}` : known}`
    }
    const part = read(value)
    if (typeof part === 'string') return `"${name}" under "${KEY}": ${part}`
    found = { ...found, ...part }
  }
  return found
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
