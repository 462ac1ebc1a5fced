import { Buffer } from 'node:buffer'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { Capability, Command, encodeCommand, encodeQuery, frame, MariadbCapability } from '../../protocol/index.js'
import { type Capture, captureFile, type Exchange, formatCapture } from './capture.js'
import { SETUP, type ServerName, STEPS, type Step, TRACK_EVERYTHING } from './cases.js'
import { Describer, type Negotiated } from './describe.js'
import { LOGINS } from './login-cases.js'
import { rawSession } from './raw-session.js'
import { Tap } from './tap.js'

/* Records the captures anew from real servers; see README.md for how to call it. */

const { values: args } = parseArgs({
  options: {
    mysql: { type: 'string' },
    mariadb: { type: 'string' },
    'mysql-client': { type: 'string' },
    'mariadb-client': { type: 'string' },
    'mysql-plugin-dir': { type: 'string' },
    /** Name of the one variant to be recorded. */
    variant: { type: 'string' },
  },
})

const COMMON =
  Capability.LONG_FLAG |
  Capability.LOCAL_FILES |
  Capability.TRANSACTIONS |
  Capability.MULTI_STATEMENTS |
  Capability.MULTI_RESULTS |
  Capability.PS_MULTI_RESULTS
const TRACKING = COMMON | Capability.SESSION_TRACK
const MODERN = TRACKING | Capability.DEPRECATE_EOF | Capability.QUERY_ATTRIBUTES
const EXTENDED = MariadbCapability.EXTENDED_METADATA | MariadbCapability.CACHE_METADATA

interface Variant {
  name: string
  title: string
  capabilities: number
  mariadbCapabilities?: number
  only?: ServerName
}

const VARIANTS: Variant[] = [
  { name: 'classic', title: 'EOF packets, no session tracking', capabilities: COMMON },
  { name: 'tracking', title: 'EOF packets, session tracking', capabilities: TRACKING },
  {
    name: 'deprecate-eof',
    title: 'DEPRECATE_EOF, no session tracking',
    capabilities: COMMON | Capability.DEPRECATE_EOF,
  },
  { name: 'modern', title: 'DEPRECATE_EOF, session tracking, query attributes', capabilities: MODERN },
  {
    name: 'optional-metadata',
    title: 'DEPRECATE_EOF, session tracking, query attributes, optional result set metadata',
    capabilities: MODERN | Capability.OPTIONAL_RESULTSET_METADATA,
    only: 'mysql',
  },
  {
    name: 'extended',
    title: "DEPRECATE_EOF, session tracking, MariaDB's extended metadata",
    capabilities: MODERN,
    mariadbCapabilities: EXTENDED,
    only: 'mariadb',
  },
  {
    name: 'bulk',
    title: "DEPRECATE_EOF, session tracking, MariaDB's bulk executions and progress reports",
    capabilities: MODERN,
    mariadbCapabilities: MariadbCapability.STMT_BULK_OPERATIONS | MariadbCapability.PROGRESS,
    only: 'mariadb',
  },
]

/** The least that MariaDB accepts for max_connections. */
const CONNECTIONS = 10

let complaints = 0

for (const server of ['mysql', 'mariadb'] as const) {
  const address = args[server]
  if (address === undefined) continue
  const [host, port] = address.split(':')
  const tap = new Tap({ host, port: Number(port) })
  const tapPort = await tap.listen()
  const client = args[`${server}-client`]
  if (client !== undefined) await recordLogins(server, tap, tapPort, client)
  for (const variant of VARIANTS) {
    if (args.variant !== undefined && args.variant !== variant.name) continue
    if (variant.only === undefined || variant.only === server) await recordVariant(server, variant, tap, tapPort)
  }
  tap.close()
}
process.exit(complaints > 0 ? 1 : 0)

async function recordVariant(server: ServerName, variant: Variant, tap: Tap, port: number): Promise<void> {
  const { capabilities, mariadbCapabilities } = variant
  const root = { username: 'root', password: '', mariadbCapabilities: mariadbCapabilities ?? 0 }
  const { socket, login } = await rawSession({ host: '127.0.0.1', port }, { ...root, capabilities })
  const ask = async (bytes: Buffer) => {
    socket.write(bytes)
    await tap.quiet()
  }
  const tracks = (login.capabilities & Capability.SESSION_TRACK) !== 0
  for (const sql of [...SETUP, ...(tracks ? TRACK_EVERYTHING[server] : [])])
    await ask(encodeQuery(sql, login.capabilities))
  tap.take()
  const capture: Capture = {
    title: `commands of a client with: ${variant.title}`,
    server: login.greeting.serverVersion,
    capabilities: login.capabilities.toString(16),
    mariadbCapabilities: login.mariadbCapabilities.toString(16),
    exchanges: [],
  }
  let statementId = ''
  const describer = new Describer(login)
  for (const step of STEPS) {
    const { only = server, needs = 0, needsMariadb = 0 } = step
    if (only !== server || (login.capabilities & needs) !== needs) continue
    if ((login.mariadbCapabilities & needsMariadb) !== needsMariadb) continue
    const attributes = (login.capabilities & Capability.QUERY_ATTRIBUTES) !== 0
    const payload = typeof step.send === 'function' ? step.send(statementId, attributes) : step.send
    await ask(typeof payload === 'string' ? encodeQuery(payload, login.capabilities) : frame(payload, 0))
    if (step.file !== undefined) await ask(Buffer.concat([frame(Buffer.from(step.file), 2), frame(Buffer.alloc(0), 3)]))
    const packets = tap.take()
    statementId = preparedId(step, packets) ?? statementId
    capture.exchanges.push(annotate(step, packets, notesOf(step, server, login), describer))
  }
  socket.end(encodeCommand(Command.QUIT))
  writeFileSync(captureFile(`${server}-${variant.name}`), formatCapture(capture))
}

/** The id in the answer to COM_STMT_PREPARE, as hexadecimal digits: header, a zero, the id. */
function preparedId(step: Step, packets: ReturnType<Tap['take']>): string | undefined {
  const ok = packets.find(({ from, hex }) => step.answer === 'prepare' && from === 'server' && hex.startsWith('00', 8))
  return ok?.hex.slice(10, 18)
}

/** The notes of a step for this server and these capabilities. */
function notesOf(step: Step, server: ServerName, login: Negotiated): string[] {
  const { capabilities, mariadbCapabilities } = login
  const cached = (mariadbCapabilities & MariadbCapability.CACHE_METADATA) !== 0
  const classic = (capabilities & Capability.DEPRECATE_EOF) === 0
  const tracks = (capabilities & Capability.SESSION_TRACK) !== 0
  const reports = (mariadbCapabilities & MariadbCapability.PROGRESS) !== 0
  const lines = step.packets.map((line) => (typeof line === 'string' ? line : line[server]))
  return withCachedColumns(lines, cached)
    .filter((line) => classic || !line.startsWith('eof'))
    .filter((line) => reports || !line.startsWith('progress'))
    .map((line) => (tracks ? line : line.replace(/ \{.*\}$/, '')))
}

/** With CACHE_METADATA a server leaves out definitions that did not change since PREPARE. */
function withCachedColumns(lines: string[], cached: boolean): string[] {
  const isCached = (line: string | undefined) => line?.startsWith('cached ') === true
  if (!cached) return lines.map((line) => line.replace(/^cached /, ''))
  return lines
    .map((line, i) => (isCached(lines[i + 1]) && !isCached(line) ? `${line} without metadata` : line))
    .filter((line) => !isCached(line))
}

/** Puts the notes to the packets, and says where they do not fit: then one of the two is wrong. */
function annotate(step: Step, packets: ReturnType<Tap['take']>, notes: string[], describer: Describer): Exchange {
  const answer = step.answer ?? 'results'
  const payloads = packets.filter(({ from }) => from === 'server').map(({ hex }) => Buffer.from(hex, 'hex').subarray(4))
  const binary = step.name.startsWith('COM_STMT')
  let found: string[]
  try {
    found = describer.answer(answer, payloads, binary)
  } catch (error) {
    found = [`cannot be described: ${error}`, ...payloads.map((payload) => payload.toString('hex'))]
  }
  if (JSON.stringify(found) !== JSON.stringify(notes)) {
    complaints++
    process.stderr.write(`${step.name}\n  noted ${notes.join('\n        ')}\n  found ${found.join('\n        ')}\n`)
  }
  const left = [...notes]
  const annotated = packets.map(({ from, hex }, i) => {
    const note = from === 'server' ? (left.shift() ?? '?') : i === 0 ? step.name : 'content of the file, or its end'
    return { from, hex, note }
  })
  return { name: step.name, answer, packets: annotated }
}

/** Takes all connections there are, the one for administrators included. */
async function fillUp(address: { host: string; port: number }): Promise<() => Promise<void>> {
  const root = { username: 'root', password: '', capabilities: COMMON }
  const held: Socket[] = []
  for (let i = 0; i < CONNECTIONS + 1; i++) held.push((await rawSession(address, root)).socket)
  const set = async (limit: number) => {
    held[0].write(encodeQuery(`SET GLOBAL max_connections = ${limit}`, 0))
    await once(held[0], 'data')
  }
  await set(CONNECTIONS)
  return async () => {
    await set(151)
    for (const socket of held) socket.end(encodeCommand(Command.QUIT))
  }
}

async function recordLogins(server: ServerName, tap: Tap, port: number, client: string): Promise<void> {
  const exchanges: Exchange[] = []
  const [host, direct] = (args[server] as string).split(':')
  const run = (sql: string) => {
    const arguments_ = ['-uroot', `-h${host}`, `-P${direct}`, '-e', sql]
    const { status, stderr } = spawnSync(client, arguments_, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${sql}: ${stderr}`)
  }
  let version = ''
  for (const login of LOGINS[server]) {
    const { name, before, user, password, packets: notes } = login
    for (const sql of before ?? []) run(sql)
    const release = login.full === true ? await fillUp({ host, port: Number(direct) }) : undefined
    const common = ['-h127.0.0.1', `-P${port}`, `-u${user}`, '-e', 'DO 1']
    const pluginDir = args['mysql-plugin-dir']
    if (login.client === 'mysql' && pluginDir !== undefined) common.push(`--plugin-dir=${pluginDir}`)
    const env = { ...process.env, MYSQL_PWD: password }
    const child = spawn(args[`${login.client ?? server}-client`] ?? client, [...common, ...login.arguments], {
      env,
      stdio: 'ignore',
    })
    await once(child, 'exit')
    await tap.quiet()
    const packets = tap.take()
    const kept = packets.slice(0, notes.length)
    if (kept.length < notes.length) {
      complaints++
      process.stderr.write(`${name}: ${kept.length} packets, ${notes.length} notes\n`)
    }
    const annotated = kept.map((packet, i) => ({ ...packet, note: notes[i] }))
    exchanges.push({ name, answer: 'login', user, password, packets: annotated })
    const greeting = Buffer.from(kept[0].hex, 'hex')
    if (greeting[4] === 10) version = greeting.toString('latin1', 5, greeting.indexOf(0, 5))
    await release?.()
  }
  const title = `logins of the server's own command line client`
  const capture = { title, server: version, capabilities: '0', mariadbCapabilities: '0', exchanges }
  writeFileSync(captureFile(`${server}-login`), formatCapture(capture))
}
