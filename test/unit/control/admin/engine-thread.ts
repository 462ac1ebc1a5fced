import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url))
const ENTRY = join(REPOSITORY, 'src/control/admin/engine/thread.ts')
const OPTIONS = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
const RELATIVE_IMPORT = /(?:from|import) ['"](\.[^'"]+)\.js['"]/g

/**
 * The engine's thread as JavaScript: a thread is started from a file, and the tests' own loader does not reach into it.
 * The files lie below the repository, so that its packages are found.
 */
export function compileEngineThread(): { readonly url: URL; remove(): void } {
  mkdirSync(join(REPOSITORY, 'dist'), { recursive: true })
  const folder = mkdtempSync(join(REPOSITORY, 'dist/engine-thread-'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  const outputOf = (source: string) => join(folder, relative(REPOSITORY, source)).replace(/\.ts$/, '.js')
  const sources = new Set([ENTRY])
  // A set that grows while it is walked: what a file imports comes after it.
  for (const source of sources) {
    const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions: OPTIONS })
    mkdirSync(dirname(outputOf(source)), { recursive: true })
    writeFileSync(outputOf(source), outputText)
    for (const [, path] of outputText.matchAll(RELATIVE_IMPORT)) sources.add(resolve(dirname(source), `${path}.ts`))
  }
  return {
    url: pathToFileURL(outputOf(ENTRY)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
