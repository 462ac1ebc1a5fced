import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml'
import { UsageError } from '../../shared/errors.js'

export type ConfigPath = readonly (string | number)[]

/** A YAML file as maps, lists and text, with the line of every key. Values are texts: nothing is guessed from their look. */
export interface ConfigDocument {
  readonly value: unknown
  /** Whether it is one file: what its parts say of one another must fit. What comes from several places may come one by one. */
  readonly isComplete: boolean
  /** Whether a password stands in the file itself. */
  readonly holdsSecrets: boolean
  /** Throws the UsageError `file:LINE: path: message`; the line is that of the nearest thing that exists. */
  fail(path: ConfigPath, message: string): never
  /** What stands at `path`, as messages call it. */
  nameOf(path: ConfigPath): string
  /** 1-based line, for sorting. */
  lineOf(path: ConfigPath): number
  /** What stands at `path`, as for people: `"heavy"`, `a list`, `nothing`; never a secret, never an environment value. */
  describe(path: ConfigPath): string
}

interface Place {
  readonly line: number
  /** The text with `${NAME}` as written, when the value came from the environment. */
  readonly written: string | null
}

const SHOWN_CHARACTERS_MAX = 60
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const HIDDEN_OPEN = '\ue000'
const HIDDEN_CLOSE = '\ue001'
const DEPTH_MAX = 32

/**
 * Reads YAML text. `${NAME}` in any value is replaced by the environment variable (`$${` stands for `${`); an unset one
 * is an error. Plain `null`, `~` and nothing mean that the key is not there.
 */
export function readConfigDocument(text: string, file: string, env: NodeJS.ProcessEnv): ConfigDocument {
  const lines = new LineCounter()
  const document = parseDocument(hideReferences(text), { schema: 'failsafe', lineCounter: lines, prettyErrors: false })
  const broken = document.errors[0]
  if (broken !== undefined) {
    throw lineError(file, lines.linePos(broken.pos[0]).line, '', firstLine(showReferences(broken.message)))
  }
  return new Reader(document, lines, file, env)
}

class Reader implements ConfigDocument {
  readonly value: unknown
  readonly isComplete = true
  holdsSecrets = false
  private readonly places = new Map<string, Place>()
  private readonly document: Document
  private readonly lines: LineCounter
  private readonly file: string
  private readonly env: NodeJS.ProcessEnv

  constructor(document: Document, lines: LineCounter, file: string, env: NodeJS.ProcessEnv) {
    this.document = document
    this.lines = lines
    this.file = file
    this.env = env
    this.value = this.read(document.contents, [], 1)
  }

  fail(path: ConfigPath, message: string): never {
    throw lineError(this.file, this.lineOf(path), formatPath(path), message)
  }

  nameOf(path: ConfigPath): string {
    return formatPath(path)
  }

  lineOf(path: ConfigPath): number {
    for (let length = path.length; length >= 0; length--) {
      const place = this.places.get(placeKey(path.slice(0, length)))
      if (place !== undefined) return place.line
    }
    return 1
  }

  describe(path: ConfigPath): string {
    const written = this.places.get(placeKey(path))?.written
    const fromOutside = written !== undefined && written !== null && !isSecret(path)
    return fromOutside ? `the value of ${JSON.stringify(written)}` : describeValue(this.value, path)
  }

  private read(node: unknown, path: ConfigPath, parentLine: number): unknown {
    if (path.length > DEPTH_MAX) this.fail(path, `expected at most ${DEPTH_MAX} levels`)
    if (isAlias(node)) return this.read(node.resolve(this.document), path, parentLine)
    const line = this.startLine(node, parentLine)
    if (isMap(node)) {
      this.note(path, path.length === 0 ? 1 : parentLine)
      return Object.fromEntries(node.items.flatMap((pair) => this.readPair(pair, path, line)))
    }
    if (isSeq(node)) {
      this.note(path, path.length === 0 ? 1 : parentLine)
      return node.items.map((item, index) => {
        const itemPath = [...path, index]
        return this.read(item, itemPath, this.startLine(item, line))
      })
    }
    if (!isScalar(node) || typeof node.value !== 'string') return undefined
    const absent = node.type === 'PLAIN' && /^(~|null|Null|NULL|)$/.test(node.value)
    if (absent) {
      this.note(path, parentLine)
      return undefined
    }
    return this.substitute(node.value, path, line)
  }

  private readPair(pair: Pair, path: ConfigPath, parentLine: number): [string, unknown][] {
    const key = isScalar(pair.key) ? String(pair.key.value) : ''
    const line = this.startLine(pair.key, parentLine)
    const value = this.read(pair.value, [...path, key], line)
    return value === undefined ? [] : [[key, value]]
  }

  private substitute(hidden: string, path: ConfigPath, line: number): string {
    const text = showReferences(hidden)
    const refers = text.includes('${')
    this.note(path, line, refers ? text : null)
    if (!refers && text !== '' && isSecret(path)) this.holdsSecrets = true
    let result = ''
    let at = 0
    for (let open = text.indexOf('${'); open >= 0; open = text.indexOf('${', at)) {
      if (text[open - 1] === '$') {
        result += `${text.slice(at, open - 1)}\${`
        at = open + 2
        continue
      }
      const close = text.indexOf('}', open)
      const name = close < 0 ? '' : text.slice(open + 2, close)
      if (!VARIABLE_NAME.test(name)) {
        this.fail(
          path,
          'expected the name of an environment variable and "}" after "${" (write "$${" for a plain "${")',
        )
      }
      const value = this.env[name]
      if (value === undefined) this.fail(path, `the environment variable ${name} is not set`)
      result += text.slice(at, open) + value
      at = close + 1
    }
    return result + text.slice(at)
  }

  private note(path: ConfigPath, line: number, written: string | null = null): void {
    this.places.set(placeKey(path), { line, written })
  }

  private startLine(node: unknown, otherwise: number): number {
    const range = (node as Node | null)?.range
    return range === undefined || range === null ? otherwise : this.lines.linePos(range[0]).line
  }
}

/**
 * YAML takes the braces of `{ port: ${PORT} }` for a map. While it reads, they are characters that mean nothing to it,
 * from the private use area; lines and columns stay the same.
 */
function hideReferences(text: string): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, `$$${HIDDEN_OPEN}$1${HIDDEN_CLOSE}`)
}

function showReferences(text: string): string {
  return text.replaceAll(HIDDEN_OPEN, '{').replaceAll(HIDDEN_CLOSE, '}')
}

/** `servers[1].weight` */
export function formatPath(path: ConfigPath): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index > 0 ? `.${step}` : step)).join('')
}

/** What stands at `path` of a document, for people; never a secret. */
export function describeValue(document: unknown, path: ConfigPath): string {
  let value = document
  for (const step of path) value = (value as Record<string | number, unknown> | undefined)?.[step]
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (isSecret(path)) return 'another text'
  const shown = String(value)
  return JSON.stringify(shown.length > SHOWN_CHARACTERS_MAX ? `${shown.slice(0, SHOWN_CHARACTERS_MAX)}...` : shown)
}

function isSecret(path: ConfigPath): boolean {
  if (path[0] === 'admin' && (path[1] === 'users' || path[1] === 'stats_users')) return true
  return (
    path.at(-1) === 'password' ||
    path.at(-1) === 'backend_password' ||
    path.at(-1) === 'password_hash' ||
    path.at(-1) === 'token'
  )
}

function placeKey(path: ConfigPath): string {
  return JSON.stringify(path)
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0].replace(/:$/, '')
}

function lineError(file: string, line: number, path: string, message: string): UsageError {
  return new UsageError(`${file}:${line}: ${path === '' ? '' : `${path}: `}${message}`)
}
