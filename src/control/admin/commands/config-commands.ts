import { resolve } from 'node:path'
import { configText } from '../../config-store/config-text.js'
import { writeWhole } from '../../config-store/disk-file.js'
import { syntaxError } from '../errors.js'
import { type AdminResult, type CommandContext, OK, rows } from '../session.js'
import { sectionChecksum } from '../tables/config-tables.js'
import { isWord, type Token } from '../tokens.js'
import { type AdminCommand, adminOnly } from './command.js'
import { refused, sectionNamedBy, transfer } from './transfer.js'

/** The memory's configuration as a file, with its passwords: only its owner may read it. */
async function writeConfig({ view }: CommandContext, tokens: readonly Token[]): Promise<AdminResult> {
  const [path, ...rest] = tokens
  const isText = path?.kind === 'string' || path?.kind === 'double' || path?.kind === 'quoted'
  // ProxySQL takes the path without quotes, too.
  const text = isText ? path.value : tokens.map(({ text: part }) => part).join('')
  if (text === '' || (isText && rest.length > 0))
    throw syntaxError("expected the path of a file, such as '/tmp/sluice.yaml'")
  await refused(() => writeWhole(resolve(text), configText(view.store, 'shown')))
  return OK
}

const LAYERS = { MEMORY: 'memory', DISK: 'disk' } as const

function checksum({ view }: CommandContext, tokens: readonly Token[]): AdminResult {
  const layer = isWord(tokens[0], 'DISK') ? 'DISK' : 'MEMORY'
  const named = isWord(tokens[0], 'DISK') || isWord(tokens[0], 'MEMORY') || isWord(tokens[0], 'MEM')
  const { section, rest } = sectionNamedBy(
    named ? tokens.slice(1) : tokens,
    'expected CHECKSUM, DISK or MEMORY, and one of',
  )
  if (rest.length > 0) throw syntaxError(`expected the end of the statement at "${rest[0].text}"`)
  return rows(['table', 'checksum'], [[section, sectionChecksum(view.store, LAYERS[layer], section)]])
}

/** Moving the configuration between its layers and files. */
export const CONFIG_COMMANDS: readonly AdminCommand[] = [
  adminOnly('SELECT CONFIG FILE', ({ view }) => rows(['Data'], [[configText(view.store, 'hidden')]])),
  adminOnly('SELECT CONFIG INTO OUTFILE ...', (context, { rest }) => writeConfig(context, rest)),
  adminOnly('SAVE CONFIG TO FILE ...', (context, { rest }) => writeConfig(context, rest)),
  adminOnly('LOAD ...', (context, { rest }) => transfer(context, 'LOAD', rest)),
  adminOnly('SAVE ...', (context, { rest }) => transfer(context, 'SAVE', rest)),
  adminOnly('CHECKSUM ...', (context, { rest }) => checksum(context, rest)),
  adminOnly('TRUNCATE ...', () => {
    throw syntaxError('expected TRUNCATE [TABLE] [stats.] and the name of a table')
  }),
]
