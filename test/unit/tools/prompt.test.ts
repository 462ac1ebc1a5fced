import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { readHistory, writeHistory } from '../../../src/tools/admin/history.js'
import { askPassword, Prompt } from '../../../src/tools/admin/prompt.js'
import type { AdminAnswer, AdminClient } from '../../../src/tools/admin-client.js'
import { ConnectError, StatementError } from '../../../src/tools/admin-client.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-history-'))
afterAll(() => rmSync(folder, { recursive: true }))

const CTRL_C = '\x03'
const CTRL_D = '\x04'

/** A prompt over streams; `screen` is all that was written. */
function open(query: (sql: string) => Promise<AdminAnswer>, close: () => void = () => {}) {
  const input = new PassThrough()
  const output = new PassThrough()
  let screen = ''
  output.on('data', (chunk) => {
    screen += chunk
  })
  const saved: string[][] = []
  const history = { lines: [], save: (lines: readonly string[]) => void saved.push([...lines]) }
  const client = { query, close } as unknown as AdminClient
  const done = new Prompt(client, 'table', { input, output }, history).run()
  return {
    type: (text: string) => input.write(text),
    until: (text: string) => vi.waitFor(() => expect(screen).toContain(text)),
    done,
    saved,
    screen: () => screen,
  }
}

const one = async (sql: string): Promise<AdminAnswer> => ({ kind: 'rows', columns: ['sql'], rows: [[sql]] })

describe('the prompt', () => {
  it('takes statements over several lines, says what is open, ends with Ctrl-D and keeps what was typed', async () => {
    const prompt = open(one)
    prompt.type("select 'a\r")
    await prompt.until("     '> ")
    prompt.type("b', 2\r")
    await prompt.until('     -> ')
    prompt.type('\\G quit\r;\r')
    await prompt.until("sql: select 'a\nb', 2")
    await prompt.until('| quit |')
    prompt.type(CTRL_D)
    await prompt.done
    expect(prompt.saved).toEqual([[';', '\\G quit', "b', 2", "select 'a"]])
  })

  it('goes on after an error and after a lost connection', async () => {
    const answers = [new StatementError(1064, '42000', 'sluice: no'), new ConnectError('the connection was lost')]
    const prompt = open(async (sql) => {
      const error = answers.shift()
      if (error !== undefined) throw error
      return one(sql)
    })
    prompt.type('a;\r')
    await prompt.until('ERROR 1064 (42000): sluice: no')
    prompt.type('b;\r')
    await prompt.until('the connection was lost; the next statement tries again')
    prompt.type('c;\r')
    await prompt.until('| c   |')
    prompt.type('quit\r')
    await prompt.done
  })

  it('throws away with Ctrl-C what is typed, and ends what runs', async () => {
    let end = (_error: Error): void => {}
    const prompt = open(
      (sql) => (sql === 'slow' ? new Promise((_resolve, reject) => (end = reject)) : one(sql)),
      () => end(new ConnectError('closed')),
    )
    prompt.type('half\r')
    await prompt.until('     -> ')
    prompt.type(`more${CTRL_C}`)
    await prompt.until('^C')
    prompt.type('slow;\r')
    await vi.waitFor(() => expect(end.length).toBe(1))
    await prompt.until('slow;')
    prompt.type(CTRL_C)
    await prompt.until('ended by Ctrl-C')
    prompt.type('whole;\r')
    await prompt.until('| whole |')
    prompt.type('exit;\r')
    await prompt.done
  })

  it('executes what is pasted, line by line, and helps', async () => {
    const prompt = open(one)
    prompt.type('help\rselect 1;\rselect 2; select 3;\r\\q\r')
    await prompt.done
    const shown = ['Ctrl-D', '| select 1 |', '| select 2 |', '| select 3 |'].map((text) =>
      prompt.screen().indexOf(text),
    )
    expect(shown.every((at) => at >= 0)).toBe(true)
    expect([...shown].sort((a, b) => a - b)).toEqual(shown)
  })
})

describe('a password', () => {
  it('is not shown', async () => {
    const input = new PassThrough()
    const output = new PassThrough()
    const asked = askPassword('Password: ', { input, output })
    input.write('secret\r')
    expect(await asked).toBe('secret')
    expect(String(output.read())).toBe('Password: \n')
  })

  it('is none when the person leaves', async () => {
    const input = new PassThrough()
    const asked = askPassword('Password: ', { input, output: new PassThrough() })
    input.write(CTRL_C)
    expect(await asked).toBeNull()
  })
})

describe('the history', () => {
  it('is kept newest first, for its owner alone, without what may be secret', () => {
    const path = join(folder, 'deep', 'admin-history')
    expect(readHistory(path)).toEqual([])
    writeHistory(path, ['show events;', "SET admin-password='x';", 'insert into mysql_users values (1);', 'select 1;'])
    expect(readHistory(path)).toEqual(['show events;', 'select 1;'])
    expect(readFileSync(path, 'utf8')).toBe('select 1;\nshow events;\n')
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('is no reason to fail where it cannot be written', () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    writeHistory(join(file, 'history'), ['select 1;'])
    expect(readHistory(join(file, 'history'))).toEqual([])
  })
})
