import { UsageError } from '../../../shared/errors.js'
import type { SectionName } from '../../config-store/section.js'
import { SECTIONS } from '../../config-store/sections.js'
import type { ConfigStore } from '../../config-store/store.js'
import { configRefused, syntaxError } from '../errors.js'
import type { AdminResult, CommandContext } from '../session.js'
import { isWord, type Token } from '../tokens.js'

type Verb = 'LOAD' | 'SAVE'
/** Where a section goes from and to. */
type Way = 'memory to runtime' | 'runtime to memory' | 'memory to disk' | 'disk to memory' | 'file to memory'

/** What stands behind the section's name; MEM and RUN are ProxySQL's short forms. */
const WAYS: Readonly<Record<Verb, readonly (readonly [words: string, way: Way])[]>> = {
  LOAD: [
    ['TO RUNTIME', 'memory to runtime'],
    ['FROM MEMORY', 'memory to runtime'],
    ['FROM DISK', 'disk to memory'],
    ['TO MEMORY', 'disk to memory'],
    ['FROM CONFIG', 'file to memory'],
  ],
  SAVE: [
    ['TO DISK', 'memory to disk'],
    ['FROM MEMORY', 'memory to disk'],
    ['TO MEMORY', 'runtime to memory'],
    ['FROM RUNTIME', 'runtime to memory'],
  ],
}
const SHORT: Readonly<Record<string, string>> = { MEM: 'MEMORY', RUN: 'RUNTIME' }

/** LOAD and SAVE; throws ProxyError for what is wrong with the statement or the rows. Nothing has changed then. */
export async function transfer(context: CommandContext, verb: Verb, tokens: readonly Token[]): Promise<AdminResult> {
  const { store } = context.view
  const user = userNamed(verb, tokens)
  if (user !== null) return warned(context, () => store.loadUserToRuntime(user))
  const { section, rest } = sectionNamedBy(tokens, `expected ${verb} and one of`)
  const way = wayNamed(verb, section, rest)
  return warned(context, () => move(store, section, way))
}

async function move(store: ConfigStore, section: SectionName, way: Way): Promise<readonly string[]> {
  switch (way) {
    case 'memory to runtime':
      return store.loadToRuntime(section)
    case 'runtime to memory':
      await store.saveToMemory(section)
      return []
    case 'memory to disk':
      await store.saveToDisk(section)
      return []
    case 'disk to memory':
      await store.loadFromDisk(section)
      return []
    case 'file to memory':
      await store.loadFromFile(section)
      return []
  }
}

/** Runs a change; its warnings are counted in the OK packet, and SHOW WARNINGS tells them. */
async function warned(context: CommandContext, change: () => Promise<readonly string[]>): Promise<AdminResult> {
  const warnings = await refused(change)
  context.session.warnings = warnings
  for (const warning of warnings) context.log.warn(warning)
  return { kind: 'ok', info: '', warnings: warnings.length }
}

/** What the store says is wrong, as the client's error. */
export async function refused<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof UsageError) throw configRefused(error.message)
    const { code, path } = error as NodeJS.ErrnoException
    if (code !== undefined && path !== undefined) throw configRefused(`${path} cannot be written (${code})`)
    throw error
  }
}

/** The section whose name the tokens begin with. */
export function sectionNamedBy(tokens: readonly Token[], expected: string) {
  for (const { name } of SECTIONS) {
    const words = name.split(' ')
    if (words.every((word, at) => isWord(tokens[at], word))) return { section: name, rest: tokens.slice(words.length) }
  }
  throw syntaxError(`${expected} ${SECTIONS.map(({ name }) => name).join(', ')} at "${tokens[0]?.text ?? ''}"`)
}

function wayNamed(verb: Verb, section: SectionName, tokens: readonly Token[]): Way {
  const words = tokens.map(({ text }) => SHORT[text.toUpperCase()] ?? text.toUpperCase()).join(' ')
  const found = WAYS[verb].find(([known]) => known === words)
  if (found !== undefined) return found[1]
  const expected = WAYS[verb].map(([known]) => known).join(', ')
  throw syntaxError(`expected ${expected} after ${verb} ${section}`)
}

/** `LOAD MYSQL USER name TO RUNTIME`. */
function userNamed(verb: Verb, tokens: readonly Token[]): string | null {
  const [mysql, word, name, ...rest] = tokens
  if (verb !== 'LOAD' || !isWord(mysql, 'MYSQL') || !isWord(word, 'USER') || name === undefined) return null
  if (wayNamed(verb, 'MYSQL USERS', rest) !== 'memory to runtime') {
    throw syntaxError('expected TO RUNTIME after LOAD MYSQL USER and a name')
  }
  return name.value
}
