import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

const ENGINE = new URL('../../../../src/control/admin/engine/', import.meta.url)
const BUILD = fileURLToPath(new URL('../../../../dist/', import.meta.url))
const FILES = ['thread.ts', 'engine.ts', 'messages.ts', 'schema.ts']

/**
 * The engine's thread as JavaScript: a thread is started from a file, and the tests' own loader does not reach into it.
 * The files lie below the repository, so that its packages are found.
 */
export function compileEngineThread(): { readonly url: URL; remove(): void } {
  mkdirSync(BUILD, { recursive: true })
  const folder = mkdtempSync(join(BUILD, 'engine-thread-'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  for (const file of FILES) {
    const source = readFileSync(new URL(file, ENGINE), 'utf8')
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, esModuleInterop: true },
    })
    writeFileSync(join(folder, `${basename(file, '.ts')}.js`), outputText)
  }
  return {
    url: pathToFileURL(join(folder, 'thread.js')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
