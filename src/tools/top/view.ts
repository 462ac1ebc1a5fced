import { clip, padEnd } from '../terminal-text.js'
import { type Column, layOut } from './columns.js'
import { bytes, count, duration, percent } from './figures.js'
import { type DigestLine, type DigestOrder, type Frame, type ServerLine, topDigests } from './frame.js'
import type { SessionReading } from './reading.js'

export type Section = 'servers' | 'digests' | 'sessions'

/** What the person at the terminal has chosen. */
export interface Choices {
  readonly order: DigestOrder
  /** One section alone, or all of them. */
  readonly only: Section | null
  /** Whether sessions that wait for their clients are shown. */
  readonly idle: boolean
  readonly paused: boolean
}

export const INITIAL_CHOICES: Choices = { order: 'time', only: null, idle: false, paused: false }

export interface Surroundings {
  readonly columns: number
  readonly rows: number
  readonly colour: boolean
  /** `admin@127.0.0.1:6032` */
  readonly endpoint: string
  readonly version: string
  /** Digest to text; one that is not known yet shows as the digest. */
  readonly texts: ReadonlyMap<string, string>
  /** Why there is nothing new; empty: there is. */
  readonly trouble: string
  readonly clock: string
}

export const HELP_LINES: readonly string[] = [
  'q       leave                        digests by  t  time per second',
  'space   hold and go on                           c  calls per second',
  '0       all sections                             a  average time',
  '1 2 3   servers, digests, sessions               m  longest since the start',
  'i       sessions that are idle, too              r  rows per call',
  'h       this page',
]

const LOW_ROWS = 3

type Tone = 'plain' | 'title' | 'head' | 'bad' | 'warn' | 'dim'
const CODES: Readonly<Record<Tone, string>> = { plain: '', title: '1', head: '7', bad: '1;31', warn: '33', dim: '2' }

/** A line and how it is meant; colours are the last step, so that all before counts columns. */
interface Line {
  readonly text: string
  readonly tone: Tone
}

/** The screen, at most `rows` lines of at most `columns` columns each. */
export function render(frame: Frame, choices: Choices, around: Surroundings): string[] {
  const head = header(frame, choices, around)
  const room = Math.max(0, around.rows - head.length)
  const body = sections(frame, choices, around).flatMap(({ build, share }) => build(share(room)))
  return [...head, ...body].slice(0, around.rows).map((line) => paint(line, around))
}

export function renderHelp(around: Surroundings): string[] {
  return HELP_LINES.slice(0, around.rows).map((text) => clip(text, around.columns))
}

function header(frame: Frame, choices: Choices, around: Surroundings): Line[] {
  const up = duration(frame.uptimeS * 1e6)
  const over = frame.sinceStart ? 'since the start' : `over ${frame.intervalS.toFixed(1)} s`
  const left = `Sluice ${around.version}  ${around.endpoint}  up ${up}`
  const lines: Line[] = [
    { text: `${left}  ${around.clock}  ${choices.paused ? 'HELD' : over}`, tone: 'title' },
    {
      text:
        `clients ${frame.sessionsTotal} (${frame.sessionsBusy} busy, ${count(frame.newClientsPerS)} new/s)  ` +
        `queries ${count(frame.queriesPerS)}/s  to servers ${bytes(frame.bytesInPerS)}/s  ` +
        `from servers ${bytes(frame.bytesOutPerS)}/s  proxy errors ${count(frame.errorsPerS)}/s`,
      tone: frame.errorsPerS > 0 ? 'warn' : 'plain',
    },
  ]
  if (around.trouble !== '') lines.push({ text: around.trouble, tone: 'bad' })
  const away = new Set(frame.servers.filter(({ status }) => status !== 'ONLINE').map(({ server }) => server))
  const writers = frame.servers.filter(({ role, status }) => role === 'writer' && status === 'ONLINE')
  const pairs = frame.servers.some(({ role }) => role !== '')
  if (pairs && writers.length === 0) lines.push({ text: 'NO WRITER IS ONLINE: writes wait or fail', tone: 'bad' })
  if (away.size > 0)
    lines.push({
      text: `${away.size} server${away.size === 1 ? '' : 's'} not ONLINE: ${[...away].join(', ')}`,
      tone: 'bad',
    })
  return lines
}

interface Part {
  /** Lines for this section when so many are left for all. */
  share(room: number): number
  build(rows: number): Line[]
}

function sections(frame: Frame, choices: Choices, around: Surroundings): Part[] {
  const sessions = frame.sessions.filter(({ command }) => choices.idle || command !== 'Sleep')
  const parts: Record<Section, { needs: number; build(rows: number): Line[] }> = {
    servers: { needs: frame.servers.length, build: (rows) => serverSection(frame.servers, rows, around) },
    digests: { needs: frame.digests.length, build: (rows) => digestSection(frame, choices, rows, around) },
    sessions: { needs: sessions.length, build: (rows) => sessionSection(frame, sessions, choices, rows, around) },
  }
  if (choices.only !== null) return [{ share: (room) => room, build: parts[choices.only].build }]
  const names: readonly Section[] = ['servers', 'digests', 'sessions']
  return names.map((name) => ({
    share: (room) =>
      shares(
        names.map((one) => parts[one].needs + HEAD_ROWS),
        room,
      )[names.indexOf(name)],
    build: parts[name].build,
  }))
}

/** A blank line, the section's name and the columns' titles. */
const HEAD_ROWS = 3

/** Everybody gets what is needed up to a fair part; what some leave goes to the others. */
export function shares(needs: readonly number[], room: number): number[] {
  const given = needs.map(() => 0)
  let left = room
  for (;;) {
    const hungry = needs.flatMap((need, index) => (given[index] < need ? [index] : []))
    const each = Math.floor(left / Math.max(1, hungry.length))
    if (hungry.length === 0 || each === 0) break
    for (const index of hungry) {
      const more = Math.min(each, needs[index] - given[index])
      given[index] += more
      left -= more
    }
  }
  return given
}

const SERVER_COLUMNS: readonly Column<ServerLine>[] = [
  { title: 'HG', align: 'right', optional: 0, value: ({ hostgroup }) => hostgroup },
  { title: 'ROLE', align: 'left', optional: 3, value: ({ role }) => role },
  { title: 'SERVER', align: 'left', optional: 0, widthMax: 40, value: ({ server }) => server },
  { title: 'STATUS', align: 'left', optional: 0, value: ({ status }) => status },
  { title: 'LAG', align: 'right', optional: 1, value: lagText },
  { title: 'USED', align: 'right', optional: 2, value: ({ used }) => String(used) },
  { title: 'FREE', align: 'right', optional: 4, value: ({ free }) => String(free) },
  { title: 'QUERIES/S', align: 'right', optional: 0, value: ({ queriesPerS }) => count(queriesPerS) },
  { title: 'BYTES/S', align: 'right', optional: 5, value: ({ bytesPerS }) => bytes(bytesPerS) },
  { title: 'CONN.ERR/S', align: 'right', optional: 6, value: ({ errorsPerS }) => count(errorsPerS) },
  { title: 'WHY', align: 'left', optional: 7, rest: true, value: ({ reason }) => reason },
]

function lagText({ role, lagMs, status }: ServerLine): string {
  if (role === 'writer') return '-'
  return lagMs === null ? (status === 'ONLINE' ? '?' : '-') : duration(lagMs * 1000)
}

const DIGEST_COLUMNS: readonly Column<DigestLine & { readonly text: string }>[] = [
  { title: 'TIME', align: 'right', optional: 0, value: ({ share }) => percent(share) },
  { title: 'LOAD', align: 'right', optional: 3, value: ({ load }) => load.toFixed(2) },
  { title: 'CALLS/S', align: 'right', optional: 0, value: ({ callsPerS }) => count(callsPerS) },
  { title: 'AVG', align: 'right', optional: 1, value: ({ averageUs }) => duration(averageUs) },
  { title: 'MAX', align: 'right', optional: 4, value: ({ maxUs }) => duration(maxUs) },
  { title: 'ROWS', align: 'right', optional: 5, value: ({ rowsPerCall }) => count(rowsPerCall) },
  { title: 'HG', align: 'right', optional: 6, value: ({ hostgroup }) => hostgroup },
  { title: 'USER', align: 'left', optional: 7, widthMax: 16, value: ({ user }) => user },
  { title: 'SCHEMA', align: 'left', optional: 8, widthMax: 16, value: ({ schema }) => schema },
  { title: 'STATEMENT', align: 'left', optional: 0, rest: true, value: ({ text }) => text },
]

const SESSION_COLUMNS: readonly Column<SessionReading>[] = [
  { title: 'TIME', align: 'right', optional: 0, value: ({ timeMs }) => duration(timeMs * 1000) },
  { title: 'SESSION', align: 'right', optional: 2, value: ({ id }) => id },
  { title: 'USER', align: 'left', optional: 0, widthMax: 16, value: ({ user }) => user },
  { title: 'SCHEMA', align: 'left', optional: 5, widthMax: 16, value: ({ schema }) => schema },
  { title: 'CLIENT', align: 'left', optional: 3, widthMax: 40, value: ({ client }) => client },
  { title: 'SERVER', align: 'left', optional: 1, widthMax: 40, value: ({ server }) => server || '-' },
  { title: 'COMMAND', align: 'left', optional: 4, widthMax: 16, value: ({ command }) => command },
  { title: 'STATEMENT', align: 'left', optional: 0, rest: true, value: ({ info }) => info },
]

/** Those in trouble come first when not all fit. */
function serverSection(servers: readonly ServerLine[], rows: number, around: Surroundings): Line[] {
  const fits = Math.max(0, rows - HEAD_ROWS)
  const shown =
    servers.length <= fits
      ? servers
      : [...servers].sort((a, b) => Number(a.status === 'ONLINE') - Number(b.status === 'ONLINE')).slice(0, fits)
  const tones = shown.map(({ status, lagMs, role }): Tone => {
    if (status === 'SHUNNED') return 'bad'
    if (status !== 'ONLINE') return 'dim'
    return role === 'reader' && lagMs === null ? 'warn' : 'plain'
  })
  return section('SERVERS', shown.length, servers.length, layOut(SERVER_COLUMNS, shown, around.columns), tones, rows)
}

function digestSection(frame: Frame, { order }: Choices, rows: number, around: Surroundings): Line[] {
  const shown = topDigests(frame.digests, order, Math.max(0, rows - HEAD_ROWS)).map((line) => ({
    ...line,
    text: around.texts.get(line.digest) ?? line.digest,
  }))
  const title = `STATEMENTS by ${order}`
  return section(title, shown.length, frame.digests.length, layOut(DIGEST_COLUMNS, shown, around.columns), [], rows)
}

function sessionSection(
  frame: Frame,
  sessions: readonly SessionReading[],
  { idle }: Choices,
  rows: number,
  around: Surroundings,
): Line[] {
  const shown = sessions.slice(0, Math.max(0, rows - HEAD_ROWS))
  const tones = shown.map(({ command }): Tone => (command === 'Sleep' ? 'dim' : 'plain'))
  const total = idle ? frame.sessionsTotal : frame.sessionsBusy
  const title = idle ? 'SESSIONS' : 'BUSY SESSIONS'
  return section(title, shown.length, total, layOut(SESSION_COLUMNS, shown, around.columns), tones, rows)
}

function section(
  name: string,
  shown: number,
  total: number,
  table: readonly string[],
  tones: readonly Tone[],
  rows: number,
): Line[] {
  if (rows < LOW_ROWS) return []
  const amount = total === 0 ? 'none' : shown < total ? `${shown} of ${total}` : String(total)
  const [titles, ...lines] = table
  return [
    { text: '', tone: 'plain' as const },
    { text: `${name} (${amount})`, tone: 'title' as const },
    { text: titles, tone: 'head' as const },
    ...lines.map((text, index): Line => ({ text, tone: tones[index] ?? 'plain' })),
  ].slice(0, rows) as Line[]
}

function paint({ text, tone }: Line, { columns, colour }: Surroundings): string {
  const cut = clip(text, columns)
  if (!colour || tone === 'plain') return cut
  return `\u001b[${CODES[tone]}m${tone === 'head' ? padEnd(cut, columns) : cut}\u001b[0m`
}
