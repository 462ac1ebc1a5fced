import { setTimeout as delay } from 'node:timers/promises'
import { boundedCache } from '../../shared/bounded-cache.js'
import { UsageError } from '../../shared/errors.js'
import { SLUICE_VERSION } from '../../shared/version.js'
import { AdminClient, ConnectError, StatementError } from '../admin-client.js'
import { formatEndpoint, readEndpoint } from '../admin-endpoint.js'
import type { EndpointFlags } from '../endpoint-flags.js'
import { type DigestOrder, type Frame, frameOf, topDigests } from './frame.js'
import { type Reading, readDigestTexts, takeReading } from './reading.js'
import { Screen } from './screen.js'
import { type Choices, INITIAL_CHOICES, render, renderHelp, type Section, type Surroundings } from './view.js'

export interface TopOptions extends EndpointFlags {
  readonly interval: string
  readonly once: boolean
}

const EXIT_FAILURE = 1
const INTERVAL_MS_MIN = 100
const INTERVAL_MS_MAX = 3_600_000
const TEXTS_REMEMBERED_MAX = 2000
/** Output that goes to no terminal. */
const PLAIN_COLUMNS = 160
const PLAIN_ROWS = 60

/** Resolves with the exit status. Rejects with a UsageError. */
export async function runTop(options: TopOptions): Promise<number> {
  const intervalMs = parseInterval(options.interval)
  const endpoint = readEndpoint(options, process.env)
  const client = new AdminClient(endpoint)
  const top = new Top(client, formatEndpoint(endpoint), intervalMs)
  const isLive = !options.once && process.stdout.isTTY && process.stdin.isTTY
  if (!options.once && !isLive) throw new UsageError('top needs a terminal; expected --once where there is none')
  process.stdout.on('error', () => process.exit(EXIT_FAILURE))
  try {
    await client.connect()
    if (isLive) await top.live(new Screen(process.stdin, process.stdout))
    else await top.once(process.stdout)
    return 0
  } catch (error) {
    if (!(error instanceof ConnectError || error instanceof StatementError)) throw error
    process.stderr.write(`sluice: ${error.message}\n`)
    return EXIT_FAILURE
  } finally {
    client.close()
  }
}

/** `1s`, `500ms`, or plain seconds. */
export function parseInterval(text: string): number {
  const found = /^(\d{1,7}(?:\.\d{1,3})?)(ms|s|m)?$/.exec(text)
  const unit = { ms: 1, s: 1000, m: 60_000 }[found?.[2] ?? 's'] as number
  const ms = found === null ? Number.NaN : Number(found[1]) * unit
  if (!(ms >= INTERVAL_MS_MIN && ms <= INTERVAL_MS_MAX))
    throw new UsageError(`--interval: expected a time from 100ms to 60m such as 1s, got "${text}"`)
  return ms
}

const ORDERS: Readonly<Record<string, DigestOrder>> = { t: 'time', c: 'calls', a: 'average', m: 'max', r: 'rows' }
const ONLY: Readonly<Record<string, Section | null>> = { '0': null, '1': 'servers', '2': 'digests', '3': 'sessions' }
const LEAVE_KEYS: ReadonlySet<string> = new Set(['q', 'Q', 'ctrl-c', 'ctrl-d'])

/** What one key does to what is chosen; the same object: nothing. */
export function choose(choices: Choices, key: string): Choices {
  if (Object.hasOwn(ORDERS, key)) return { ...choices, order: ORDERS[key] }
  if (Object.hasOwn(ONLY, key)) return { ...choices, only: ONLY[key] }
  if (key === 'i') return { ...choices, idle: !choices.idle }
  return key === ' ' ? { ...choices, paused: !choices.paused } : choices
}

class Top {
  private readonly client: AdminClient
  private readonly endpoint: string
  private readonly intervalMs: number
  private readonly texts = boundedCache<string, string>(TEXTS_REMEMBERED_MAX)
  private choices = INITIAL_CHOICES
  private before: Reading | null = null
  private frame: Frame | null = null
  private trouble = ''
  private help = false

  constructor(client: AdminClient, endpoint: string, intervalMs: number) {
    this.client = client
    this.endpoint = endpoint
    this.intervalMs = intervalMs
  }

  /** One frame of what happens within one interval. */
  async once(output: NodeJS.WriteStream): Promise<void> {
    await this.read()
    await delay(this.intervalMs)
    await this.read()
    const columns = output.isTTY ? output.columns : PLAIN_COLUMNS
    const rows = output.isTTY ? output.rows : PLAIN_ROWS
    output.write(`${this.lines({ columns, rows }, output.isTTY).join('\n')}\n`)
  }

  /** Until somebody presses q. What goes wrong is shown, and tried again. */
  async live(screen: Screen): Promise<void> {
    const leave = new AbortController()
    const draw = (): void => screen.draw(this.frame === null ? [this.trouble] : this.lines(screen.size, true))
    const pressed = (key: string): void => {
      if (LEAVE_KEYS.has(key)) return leave.abort()
      this.help = (key === 'h' || key === '?') && !this.help
      this.choices = choose(this.choices, key)
      draw()
    }
    const stop = (): void => leave.abort()
    process.once('SIGTERM', stop)
    process.once('SIGHUP', stop)
    await this.attempt()
    screen.enter(pressed, draw)
    try {
      while (!leave.signal.aborted) {
        draw()
        await delay(this.intervalMs, undefined, { signal: leave.signal }).catch(() => {})
        if (!leave.signal.aborted && !this.choices.paused) await this.attempt()
      }
    } finally {
      screen.leave()
      process.off('SIGTERM', stop)
      process.off('SIGHUP', stop)
    }
  }

  private async attempt(): Promise<void> {
    try {
      await this.read()
      this.trouble = ''
    } catch (error) {
      if (!(error instanceof ConnectError || error instanceof StatementError)) throw error
      this.trouble = error.message
    }
  }

  private async read(): Promise<void> {
    const now = await takeReading(this.client)
    this.frame = frameOf(this.before, now)
    this.before = now
    const shown = topDigests(this.frame.digests, this.choices.order, PLAIN_ROWS * 2)
    const unknown = [...new Set(shown.map(({ digest }) => digest))].filter((digest) => !this.texts.has(digest))
    for (const [digest, text] of await readDigestTexts(this.client, unknown)) this.texts.set(digest, text)
  }

  private lines(size: { readonly columns: number; readonly rows: number }, isTerminal: boolean): string[] {
    const around: Surroundings = {
      ...size,
      colour: isTerminal && process.env['NO_COLOR'] === undefined,
      endpoint: this.endpoint,
      version: SLUICE_VERSION,
      texts: new Map(this.texts.entries()),
      trouble: this.trouble,
      clock: new Date().toTimeString().slice(0, 8),
    }
    return this.help ? renderHelp(around) : render(this.frame as Frame, this.choices, around)
  }
}
