import { C, CLASS, FOLD } from './characters.js'
import { Hint } from './kinds.js'

/**
 * Hints in comments: `/* sluice: primary *\/`, `/* sluice: hostgroup=2 causal=user-42 consistency=session *\/` and
 * ProxySQL's `/* hostgroup=2 *\/`. Items are separated by blanks, commas or semicolons (the GTID set of `position=` has
 * commas of its own, so it ends at a blank or semicolon); the later one wins. Without the word `sluice:` only a hostgroup in
 * the first place is a hint, so that comments for people stay comments.
 */
export interface Hints {
  hint: number
  hostgroup: number
  causalStart: number
  causalEnd: number
  consistencyStart: number
  consistencyEnd: number
  positionStart: number
  positionEnd: number
  maxLagStart: number
  maxLagEnd: number
}

const SEMICOLON = 0x3b
const COMMA = 0x2c
const COLON = 0x3a
const EQUALS = 0x3d
/** As ProxySQL's hostgroups: 0 to 2^31 - 1. */
const HOSTGROUP_MAX = 0x7fffffff

const PREFIX = Buffer.from('sluice')
const PRIMARY = Buffer.from('primary')
const REPLICA = Buffer.from('replica')
const HOSTGROUP = Buffer.from('hostgroup')
const CAUSAL = Buffer.from('causal')
const CONSISTENCY = Buffer.from('consistency')
const POSITION = Buffer.from('position')
const MAX_LAG = Buffer.from('max_lag')

/** Reads the hints of one comment, whose text without its delimiters is [start, end), into `into`. */
export function readHints(buffer: Uint8Array, start: number, end: number, into: Hints): void {
  let at = skipSeparators(buffer, start, end)
  // Nearly every comment is for people: look at one letter before anything else.
  const first = FOLD[buffer[at] ?? 0]
  if (first !== 0x73 && first !== 0x68) return
  const prefixed = isWord(buffer, at, Math.min(at + PREFIX.length, end), PREFIX)
  if (prefixed) {
    at = skipBlanks(buffer, at + PREFIX.length, end)
    if (buffer[at] !== COLON || at >= end) return
    at = skipSeparators(buffer, at + 1, end)
  }
  // Without the prefix only the first item counts.
  do {
    const stop = endOfItem(buffer, at, end)
    readItem(buffer, at, stop, into, prefixed)
    at = skipSeparators(buffer, stop, end)
  } while (prefixed && at < end)
}

function readItem(buffer: Uint8Array, start: number, end: number, into: Hints, prefixed: boolean): void {
  let equals = start
  while (equals < end && buffer[equals] !== EQUALS) equals++
  const from = equals + 1
  if (isWord(buffer, start, equals, HOSTGROUP)) {
    const hostgroup = readNumber(buffer, from, end)
    if (hostgroup >= 0) into.hostgroup = hostgroup
  }
  if (!prefixed) return
  if (equals === end) {
    if (isWord(buffer, start, end, PRIMARY)) into.hint = Hint.primary
    else if (isWord(buffer, start, end, REPLICA)) into.hint = Hint.replica
  } else if (from === end) return
  else if (isWord(buffer, start, equals, CAUSAL)) {
    into.causalStart = from
    into.causalEnd = end
  } else if (isWord(buffer, start, equals, CONSISTENCY)) {
    into.consistencyStart = from
    into.consistencyEnd = end
  } else if (isWord(buffer, start, equals, POSITION)) {
    into.positionStart = from
    into.positionEnd = end
  } else if (isWord(buffer, start, equals, MAX_LAG)) {
    into.maxLagStart = from
    into.maxLagEnd = end
  }
}

/** -1: not a number, or out of range. */
function readNumber(buffer: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 10) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    if (CLASS[buffer[at] as number] !== C.digit) return -1
    value = value * 10 + (buffer[at] as number) - 0x30
  }
  return value <= HOSTGROUP_MAX ? value : -1
}

function isWord(buffer: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false
  for (let i = 0; i < word.length; i++) if (FOLD[buffer[start + i] as number] !== word[i]) return false
  return true
}

function isSeparator(byte: number): boolean {
  return CLASS[byte] === C.blank || byte === SEMICOLON || byte === COMMA
}

function skipSeparators(buffer: Uint8Array, at: number, end: number): number {
  let i = at
  while (i < end && isSeparator(buffer[i] as number)) i++
  return i
}

function skipBlanks(buffer: Uint8Array, at: number, end: number): number {
  let i = at
  while (i < end && CLASS[buffer[i] as number] === C.blank) i++
  return i
}

function endOfItem(buffer: Uint8Array, at: number, end: number): number {
  let i = at
  while (i < end && !isSeparator(buffer[i] as number)) i++
  const name = at + POSITION.length
  const listed = buffer[i] === COMMA && buffer[name] === EQUALS && isWord(buffer, at, name, POSITION)
  if (listed) while (i < end && (buffer[i] === COMMA || !isSeparator(buffer[i] as number))) i++
  return i
}
