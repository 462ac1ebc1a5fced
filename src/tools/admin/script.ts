import type { AdminAnswer } from '../admin-client.js'
import { StatementError } from '../admin-client.js'
import { StatementSplitter, type TypedStatement } from '../statement-splitter.js'
import { formatAnswer, type OutputFormat } from './format.js'

export interface ScriptTarget {
  query(sql: string): Promise<AdminAnswer>
}

/** What is printed where. */
export interface Printer {
  out(text: string): void
  error(text: string): void
}

/**
 * Executes the statements of some lines (`-e`, or a pipe) one after the other, each as soon as it is complete, and ends at
 * the first that fails. Resolves with the exit status; rejects with a ConnectError.
 */
export async function runScript(
  target: ScriptTarget,
  lines: AsyncIterable<string> | Iterable<string>,
  format: OutputFormat,
  printer: Printer,
): Promise<number> {
  const splitter = new StatementSplitter()
  let number = 0
  const execute = async (statements: readonly TypedStatement[]): Promise<boolean> => {
    for (const statement of statements) {
      number++
      if (!(await executeOne(target, statement, number, format, printer))) return false
    }
    return true
  }
  for await (const line of lines) if (!(await execute(splitter.push(line)))) return 1
  const { open } = splitter
  if (open !== '') {
    printer.error(`statement ${number + 1}: expected what closes ${open}`)
    return 1
  }
  return (await execute(splitter.finish())) ? 0 : 1
}

async function executeOne(
  target: ScriptTarget,
  { sql, vertical }: TypedStatement,
  number: number,
  format: OutputFormat,
  printer: Printer,
): Promise<boolean> {
  try {
    printer.out(formatAnswer(await target.query(sql), vertical && format !== 'json' ? 'vertical' : format, null))
    return true
  } catch (error) {
    if (!(error instanceof StatementError)) throw error
    printer.error(`statement ${number}: ${error.message}`)
    return false
  }
}
