import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'
import { type AdminClient, ConnectError, StatementError } from '../admin-client.js'
import { StatementSplitter, type TypedStatement } from '../statement-splitter.js'
import { printable } from '../terminal-text.js'
import { formatAnswer, type OutputFormat } from './format.js'

const PROMPT = 'sluice> '
const HELP = `Statements end with ; or \\g, with \\G for one line per column.
\\c        throw away what is typed so far        Ctrl-C   the same; ends a statement that runs
\\q, quit  leave                                  Ctrl-D   the same
SHOW TABLES; SHOW TOPOLOGY; SHOW PROCESSLIST; SHOW VARIABLES; SHOW EVENTS;

`

/** A terminal, or what stands for one in a test. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
}

/** Newest first. */
export interface PromptHistory {
  readonly lines: string[]
  save(lines: readonly string[]): void
}

/** Reads statements from a person until Ctrl-D or `quit`; an error ends none of them. */
export class Prompt {
  private readonly client: AdminClient
  private readonly format: OutputFormat
  private readonly output: NodeJS.WritableStream
  private readonly splitter = new StatementSplitter()
  private readonly readline: Interface
  private readonly history: PromptHistory
  private remembered: readonly string[]
  private running = false
  private interrupted = false

  constructor(client: AdminClient, format: OutputFormat, { input, output }: Terminal, history: PromptHistory) {
    this.client = client
    this.format = format
    this.output = output
    this.history = history
    this.remembered = history.lines
    this.readline = createInterface({
      input,
      output,
      terminal: true,
      prompt: PROMPT,
      history: history.lines,
      historySize: 1000,
      removeHistoryDuplicates: true,
    })
    this.readline.on('history', (lines: string[]) => {
      this.remembered = [...lines]
    })
    this.readline.on('SIGINT', () => this.interrupt())
  }

  async run(): Promise<void> {
    // Listening begins before anything is awaited: what is pasted waits in the iterator while a statement runs.
    const lines = this.readline[Symbol.asyncIterator]()
    this.ask()
    for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
      if (!(await this.take(line.value))) break
      this.ask()
    }
    this.readline.close()
    this.history.save(this.remembered)
  }

  /** Returns whether to go on. */
  private async take(line: string): Promise<boolean> {
    if (!this.splitter.pending) {
      const word = line.trim().toLowerCase().replace(/;$/, '')
      if (['quit', 'exit', '\\q'].includes(word)) return false
      if (['help', '?', '\\h', '\\?'].includes(word)) {
        this.output.write(HELP)
        return true
      }
    }
    for (const statement of this.splitter.push(line)) await this.execute(statement)
    return true
  }

  private async execute({ sql, vertical }: TypedStatement): Promise<void> {
    const startedMs = performance.now()
    this.running = true
    this.interrupted = false
    try {
      const answer = await this.client.query(sql)
      this.output.write(formatAnswer(answer, vertical ? 'vertical' : this.format, performance.now() - startedMs))
    } catch (error) {
      this.output.write(`${this.complaint(error)}\n\n`)
    } finally {
      this.running = false
    }
  }

  private complaint(error: unknown): string {
    if (this.interrupted) return 'ended by Ctrl-C; the next statement gets a new connection'
    if (error instanceof StatementError) return printable(error.message)
    if (error instanceof ConnectError) return `${printable(error.message)}; the next statement tries again`
    throw error
  }

  private interrupt(): void {
    if (this.running) {
      this.interrupted = true
      this.client.close()
      return
    }
    this.splitter.clear()
    this.output.write('^C\n')
    // `line` is the editor's own buffer: emptied by the keys that delete to both ends.
    this.readline.write(null, { ctrl: true, name: 'e' })
    this.readline.write(null, { ctrl: true, name: 'u' })
    this.ask()
  }

  private ask(): void {
    const { open, pending } = this.splitter
    this.readline.setPrompt(pending ? `${(open === '' ? '-' : open).padStart(PROMPT.length - 2)}> ` : PROMPT)
    this.readline.prompt()
  }
}

/** Asks a person for a password, which is not shown; null: the input ended. */
export async function askPassword(question: string, { input, output }: Terminal): Promise<string | null> {
  output.write(question)
  const nothing = new Writable({ write: (_chunk, _encoding, done) => done() })
  const readline = createInterface({ input, output: nothing, terminal: true, historySize: 0 })
  try {
    return await new Promise((resolve) => {
      readline.once('line', resolve)
      readline.once('SIGINT', () => resolve(null))
      readline.once('close', () => resolve(null))
    })
  } finally {
    readline.close()
    output.write('\n')
  }
}
