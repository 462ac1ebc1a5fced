import { readFileSync } from 'node:fs'
import { Capability, Command } from '../../../protocol/index.js'

/**
 * Files of statements, one per line; indented lines go on with the statement above. Lines that begin with `-- @`:
 *
 *   -- @settle               replicas have everything before the next statement
 *   -- @shape                only the columns, or the kind of the answer, of the next statement have to be the same
 *   -- @needs CAPABILITY     the next statement only for clients with this capability
 *   -- @com NAME argument    a command other than COM_QUERY; `\0`, `\1` ... are bytes
 *
 * Any other line that begins with `-- ` at the beginning of the file, up to the first statement, is a comment.
 */
export interface Step {
  readonly line: number
  readonly kind: 'sql' | 'command' | 'settle'
  readonly text: string
  /** COM_* number of a `command`. */
  readonly code: number
  readonly shapeOnly: boolean
  /** CLIENT_* flag, or 0. */
  readonly needs: number
}

export function readStatements(url: URL): Step[] {
  const steps: Step[] = []
  let shapeOnly = false
  let needs = 0
  const add = (line: number, kind: Step['kind'], text: string, code = 0): void => {
    steps.push({ line, kind, text, code, shapeOnly, needs })
    shapeOnly = false
    needs = 0
  }
  const lines = readFileSync(url, 'utf8').replace(/\n$/, '').split('\n')
  for (const [index, line] of lines.entries()) {
    const [, directive, argument = ''] = /^-- @(\w+) ?(.*)$/.exec(line) ?? []
    const last = steps.at(-1)
    if (directive === 'settle') add(index + 1, 'settle', '')
    else if (directive === 'shape') shapeOnly = true
    else if (directive === 'needs') needs = Capability[argument as keyof typeof Capability]
    else if (directive === 'com') {
      const [name, ...rest] = argument.split(' ')
      const bytes = rest.join(' ').replace(/\\(\d)/g, (_, digit: string) => String.fromCharCode(Number(digit)))
      add(index + 1, 'command', bytes, Command[name as keyof typeof Command])
    } else if (/^ {2}\S/.test(line) && last?.kind === 'sql') {
      steps[steps.length - 1] = { ...last, text: `${last.text}\n${line}` }
    } else if (!(steps.length === 0 && line.startsWith('-- '))) add(index + 1, 'sql', line)
  }
  return steps
}
