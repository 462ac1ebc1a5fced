/** What the scripts of Node's drivers share. See ../README.md. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

export const ENV = Object.fromEntries(
  Object.entries(process.env)
    .filter(([name]) => name.startsWith('MATRIX_'))
    .map(([name, value]) => [name.slice('MATRIX_'.length).toLowerCase(), value]),
)

/** The client's packages are in the cache folder, not beside its script. */
export const load = createRequire(`${process.env.CLIENT_MODULES}/package.json`)

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const SHOWN_MAX = 400

export function show(value) {
  if (value === undefined) return 'undefined'
  if (value instanceof Error) return `error ${showError(value)}`
  if (Buffer.isBuffer(value)) return value.length > SHOWN_MAX ? digest(value) : `x${value.toString('hex')}`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : `Date(${value.toISOString()})`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return value.length > SHOWN_MAX ? digest(Buffer.from(value)) : JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, item]) => typeof item !== 'function')
    return `{${entries.map(([name, item]) => `${name}: ${show(item)}`).join(', ')}}`
  }
  return String(value)
}

function showError(error) {
  const { code, errno, sqlState, message, fatal } = error
  const cause = error.original ?? error.driverError ?? error.parent
  const inner = cause === undefined || cause === error ? '' : ` by ${cause.errno} ${cause.sqlState}`
  const text = error.sqlMessage ?? message
  const shown = text.length > SHOWN_MAX ? digest(Buffer.from(text)) : text.replaceAll(/conn:-?\d+/g, 'conn:<id>')
  return `${error.name} ${code} ${errno} ${sqlState} ${fatal ?? ''} ${shown}${inner}`
}

function digest(bytes) {
  return `${bytes.length} bytes ${createHash('md5').update(bytes).digest('hex')}`
}

export function say(name, ...values) {
  const text = values.map((value) => (typeof value === 'string' ? value : show(value))).join(' ')
  process.stdout.write(`${name}: ${text.replaceAll('\n', '\\n')}\n`)
}

/** Runs one case; an error is a result like another. */
export async function attempt(name, work) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer within 120 s')), 120_000)
  })
  try {
    const value = await Promise.race([work(), late])
    if (value !== undefined) say(name, value)
  } catch (error) {
    say(name, error)
  } finally {
    clearTimeout(timer)
  }
}

const KINDS = {
  i: Number,
  d: Number,
  s: String,
  x: (hex) => Buffer.from(hex, 'hex'),
  n: () => null,
}

export function* cases() {
  for (const line of readFileSync(ENV.cases, 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [kind, name, sql, ...texts] = line.split('\t')
    yield { kind, name, sql, params: texts.map((text) => KINDS[text[0]](text.slice(2))) }
  }
}
