import { type BinaryValue, decodeQueryAttributes, decodeStmtExecute } from '../../../protocol/index.js'
import { parseLagMs } from '../../shared/durations.js'
import { type GtidSet, parseGtidSet } from '../../shared/gtid.js'
import { CONSISTENCY_LEVELS, type ConsistencyLevel, type Flavor } from '../../shared/snapshot.js'
import type { Classified } from '../../sql/index.js'

/** What a statement asks of its consistency, in a hint or as query attributes. */
export interface Wishes {
  readonly level: ConsistencyLevel | null
  /** Name of a causal key; empty: none. */
  readonly causal: string
  /** What a replica must have applied; null: nothing that is named. */
  readonly position: GtidSet | null
  /** Replicas with more lag than this in ms are not read from; -1: no limit. */
  readonly maxLagMs: number
  /** What was not understood; empty: nothing. Such a statement goes to the primary, which all that can be meant allows. */
  readonly unknown: string
}

/** Longer keys are cut: they are kept by the ten thousands. */
const KEY_LENGTH_MAX = 255

/** Whether a comment asked for any of it. */
export function hasWishes(found: Classified): boolean {
  return (found.causalStart & found.consistencyStart & found.positionStart & found.maxLagStart) >= 0
}

/** The wishes of a statement's comments. */
export function wishesOf(found: Classified, buffer: Buffer, flavor: Flavor): Wishes {
  const text = (start: number, end: number): string => (start < 0 ? '' : buffer.toString('utf8', start, end))
  return readWishes(
    text(found.consistencyStart, found.consistencyEnd),
    text(found.causalStart, found.causalEnd),
    text(found.positionStart, found.positionEnd),
    text(found.maxLagStart, found.maxLagEnd),
    flavor,
  )
}

function readWishes(level: string, causal: string, position: string, maxLag: string, flavor: Flavor): Wishes {
  const known = parseLevel(level)
  const set = position === '' ? null : parsePosition(position, flavor)
  const maxLagMs = maxLag === '' ? -1 : parseLagMs(maxLag)
  const unknown: string[] = []
  if (level !== '' && known === null) unknown.push(`consistency=${level}`)
  if (position !== '' && set === null) unknown.push(`position=${position}`)
  if (maxLag !== '' && maxLagMs < 0) unknown.push(`max_lag=${maxLag}`)
  return {
    level: unknown.length > 0 ? 'strong' : known,
    causal: causal.slice(0, KEY_LENGTH_MAX),
    position: set,
    maxLagMs,
    unknown: unknown.join(' '),
  }
}

/** A level by its name, whatever its case; null: there is none of that name. */
export function parseLevel(text: string): ConsistencyLevel | null {
  const name = text.toLowerCase()
  return CONSISTENCY_LEVELS.find((level) => level === name) ?? null
}

function parsePosition(text: string, flavor: Flavor): GtidSet | null {
  try {
    return parseGtidSet(text, flavor)
  } catch {
    return null
  }
}

/** Names of query attributes, in the order of the hints that say the same. */
const ATTRIBUTES = ['sluice_consistency', 'sluice_causal', 'sluice_position', 'sluice_max_lag'] as const

interface Attribute {
  readonly name: string
  readonly value: BinaryValue
}

/** The wishes of a COM_QUERY's attributes, together with those of its comments, which count less. Malformed ones are the server's to refuse. */
export function wishesOfQuery(
  before: Wishes | null,
  buffer: Buffer,
  payload: number,
  end: number,
  capabilities: number,
  flavor: Flavor,
): Wishes | null {
  try {
    return joinAttributes(before, decodeQueryAttributes(buffer, payload, end, capabilities).attributes, flavor)
  } catch {
    return before
  }
}

/** The wishes of a statement for which a query rule names a causal key; a key that the statement names itself counts more. */
export function withCausalKey(before: Wishes | null, causal: string): Wishes {
  if (before === null) return { level: null, causal, position: null, maxLagMs: -1, unknown: '' }
  return before.causal === '' ? { ...before, causal } : before
}

/** The same of a COM_STMT_EXECUTE, whose attributes stand behind the parameters. Malformed ones are the server's to refuse. */
export function wishesOfExecute(
  before: Wishes | null,
  payload: Buffer,
  parameterCount: number,
  capabilities: number,
  flavor: Flavor,
): Wishes | null {
  try {
    const { parameters } = decodeStmtExecute(payload, { parameterCount, capabilities })
    return joinAttributes(before, parameters.slice(parameterCount), flavor)
  } catch {
    return before
  }
}

function joinAttributes(before: Wishes | null, attributes: readonly Attribute[], flavor: Flavor): Wishes | null {
  const values = ATTRIBUTES.map((name) => attributeValue(attributes, name))
  if (values.every((value) => value === '')) return before
  const [level, causal, position, maxLag] = values as [string, string, string, string]
  const own = readWishes(level, causal, position, maxLag, flavor)
  if (before === null) return own
  return {
    level: own.level ?? before.level,
    causal: own.causal === '' ? before.causal : own.causal,
    position: own.position ?? before.position,
    maxLagMs: own.maxLagMs < 0 ? before.maxLagMs : own.maxLagMs,
    unknown: own.unknown === '' ? before.unknown : own.unknown,
  }
}

function attributeValue(attributes: readonly Attribute[], name: string): string {
  const found = attributes.find((attribute) => attribute.name.toLowerCase() === name)
  const value = found?.value ?? null
  if (value === null) return ''
  return Buffer.isBuffer(value) ? value.toString('utf8') : String(value)
}
