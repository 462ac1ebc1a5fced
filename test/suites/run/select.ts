import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SuitePrograms, suiteFolder } from './programs.js'

export interface TestFile {
  /** `main/select`, as the report shows it. */
  readonly name: string
  readonly path: string
  /** Folder of the suite, for files it includes. */
  readonly folder: string
}

/** What a server cannot be asked for that others use too, or that the fixture does not have. */
const LEFT_OUT: readonly { reason: string; text: RegExp }[] = [
  {
    reason: 'ends or restarts the server',
    text: /(restart|start|shutdown|kill|wait_until_disconnected|expect_crash)[\w-]*\.inc|^-*\s*shutdown(_server)?\b|^\s*restart\s*;/im,
  },
  { reason: 'needs a debug build', text: /have_debug(_sync)?\.inc/ },
  { reason: 'needs more servers', text: /(master-slave|slave|replica|rpl_\w+|galera\w*)\.inc|\bserver_[23]\b/i },
  {
    reason: 'breaks the replication of the fixture',
    text: /^\s*(reset\s+(master|slave|replica|binary)|change\s+(master|replication)|(start|stop)\s+(slave|replica)|purge\s+(binary|master))\b/im,
  },
  { reason: 'starts a server program', text: /\$MYSQLD(_\w+)?\b|\$MYSQL_(UPGRADE|INSTALL_DB)/ },
  { reason: 'takes long', text: /big_test\.inc|long_test\.inc/ },
  {
    reason: 'needs a plugin or a feature that is not loaded',
    text: /have_(archive|blackhole|example|federated\w*|sphinx|spider|udf\w*|pam|plugin_auth|valgrind|ndb\w*|windows|lowercase\d|case_insensitive_\w+)\.inc/,
  },
  { reason: 'needs no binary log', text: /not_log_bin\.inc|have_log_bin-off|not_master_log_bin/ },
]

/** Options files, by which a test asks for a server of its own. */
const OPTION_FILES = ['.opt', '-master.opt', '-slave.opt', '.cnf', '-master.sh', '-slave.sh']
const DEPTH_MAX = 3

export interface Selection {
  readonly files: readonly TestFile[]
  /** Number of files for each reason. */
  readonly leftOut: ReadonlyMap<string, number>
}

/** The files of these suites that run on a server as it is; `pattern` selects among them by name. */
export function selectFiles(programs: SuitePrograms, suites: readonly string[], pattern: RegExp): Selection {
  const disabled = disabledTests(programs)
  const files: TestFile[] = []
  const leftOut = new Map<string, number>()
  for (const suite of suites) {
    const folder = suiteFolder(programs, suite)
    for (const entry of readdirSync(folder).sort()) {
      if (!entry.endsWith('.test')) continue
      const test = entry.slice(0, -'.test'.length)
      const file = { name: `${suite}/${test}`, path: join(folder, entry), folder }
      if (!pattern.test(file.name)) continue
      const reason = disabled.has(`${suite}.${test}`) ? 'disabled by its authors' : whyNot(programs, file, test)
      if (reason === undefined) files.push(file)
      else leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1)
    }
  }
  return { files, leftOut }
}

function whyNot(programs: SuitePrograms, file: TestFile, test: string): string | undefined {
  if (OPTION_FILES.some((suffix) => existsSync(join(file.folder, test + suffix)))) return 'needs options of its own'
  const text = withIncludes(programs.files, file.folder, readFileSync(file.path, 'latin1'), 0)
  return LEFT_OUT.find((entry) => entry.text.test(text))?.reason
}

/** The file's statements with those of the files it includes; comments are left out. */
function withIncludes(root: string, folder: string, text: string, depth: number): string {
  const statements = text.replace(/^\s*#.*$/gm, '')
  if (depth === DEPTH_MAX) return statements
  const included = [...statements.matchAll(/^-*\s*source\s+([^\s;]+)/gim)].map(([, name = '']) => {
    const path = [join(root, name), join(folder, name)].find((candidate) => existsSync(candidate))
    return path === undefined ? '' : withIncludes(root, folder, readFileSync(path, 'latin1'), depth + 1)
  })
  return [statements, ...included].join('\n')
}

function disabledTests({ files }: SuitePrograms): Set<string> {
  const lists: [string, string][] = [
    [join(files, 'collections/disabled.def'), ''],
    [join(files, 'main/disabled.def'), 'main.'],
  ]
  const suites = join(files, 'suite')
  for (const suite of readdirSync(suites)) {
    for (const place of ['disabled.def', 't/disabled.def']) lists.push([join(suites, suite, place), `${suite}.`])
  }
  const names = lists
    .filter(([path]) => existsSync(path))
    .flatMap(([path, prefix]) =>
      [...readFileSync(path, 'utf8').matchAll(/^([\w.-]+)\s*(?:@\S+\s*)?:/gm)].map(([, name = '']) =>
        name.includes('.') ? name : prefix + name,
      ),
    )
  return new Set(names)
}
