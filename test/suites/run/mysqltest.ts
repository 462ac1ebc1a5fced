import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SuitePrograms } from './programs.js'
import type { TestFile } from './select.js'

/** How `mysqltest` sends statements: as they are, or turned into what the protocol's name says. */
export type Protocol = 'text' | 'ps' | 'cursor' | 'view' | 'sp'

export interface Target {
  readonly port: number
  readonly socket: string
}

export interface Outcome {
  /** 62: it has skipped itself. Null: it took too long and was ended. */
  readonly status: number | null
  readonly output: string
  readonly ms: number
}

export const SKIPPED = 62
const OUTPUT_BYTES_MAX = 50_000_000

/** With these two, affected rows and the metadata of every result are part of the output. */
const PROLOGUE = '--enable_info\n--enable_metadata\n'

export interface MysqltestOptions {
  readonly programs: SuitePrograms
  readonly file: TestFile
  readonly target: Target
  readonly protocol: Protocol
  /** Folder that mysql-test-run calls MYSQLTEST_VARDIR: next to the servers' files. */
  readonly varDir: string
  readonly limitMs: number
}

/** Runs one .test file to its end, or until its time is over. */
export async function runMysqltest(options: MysqltestOptions): Promise<Outcome> {
  const { programs, file, target, protocol, varDir, limitMs } = options
  const { tmp, log } = makeFolders(varDir)
  const prologue = join(tmp, 'prologue.inc')
  writeFileSync(prologue, PROLOGUE)
  const [program = '', ...args] = [
    ...programs.mysqltest,
    '--no-defaults',
    ...connection(programs, target),
    '--silent',
    '--database=test',
    `--basedir=${programs.files}/`,
    `--tmpdir=${tmp}`,
    `--logdir=${log}`,
    `--character-sets-dir=${join(programs.share, 'charsets')}`,
    `--test-file=${file.path}`,
    `${programs.engine === 'mysql' ? '--include' : '--prologue'}=${prologue}`,
    ...(programs.engine === 'mariadb' ? [`--suite-dir=${file.folder}/`] : []),
    ...(protocol === 'text' ? [] : [`--${protocol}-protocol`]),
  ]
  const started = performance.now()
  const child = spawn(program, args, {
    cwd: programs.files,
    env: environment(programs, file, target, varDir, tmp),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let isLate = false
  const end = () => {
    try {
      process.kill(-child.pid!, 'SIGKILL') // what it has started too
    } catch {
      // it has just ended
    }
  }
  const timer = setTimeout(() => {
    isLate = true
    end()
  }, limitMs)
  const chunks: Buffer[] = []
  let bytes = 0
  const collect = (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > OUTPUT_BYTES_MAX) end()
  }
  const errors: Buffer[] = []
  child.stdout.on('data', collect)
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code))
  })
  clearTimeout(timer)
  const output = `${Buffer.concat(chunks).toString('latin1')}\n-- ${Buffer.concat(errors).toString('latin1')}`
  return { status: isLate ? null : status, output, ms: performance.now() - started }
}

/** A new, empty folder for what tests write. */
function makeFolders(varDir: string): { tmp: string; log: string } {
  const [tmp, log] = [join(varDir, 'tmp'), join(varDir, 'log')]
  rmSync(tmp, { recursive: true, force: true })
  for (const folder of [tmp, log]) mkdirSync(folder, { recursive: true })
  return { tmp, log }
}

/**
 * "localhost" is what tests say for the host of further connections: with MariaDB's client that is TCP where TCP is asked for, with
 * MySQL's it is the unix socket.
 */
function connection({ engine }: SuitePrograms, { port, socket }: Target): string[] {
  const host = engine === 'mysql' ? ['--host=127.0.0.1', `--socket=${socket}`] : ['--host=localhost', '--protocol=tcp']
  return [...host, `--port=${port}`, '--user=root']
}

/** What mysql-test-run gives to tests, as far as they ask for what is there. */
function environment(
  programs: SuitePrograms,
  file: TestFile,
  target: Target,
  varDir: string,
  tmp: string,
): Record<string, string> {
  const charsets = join(programs.share, 'charsets')
  const client = (name: string) =>
    [
      ...programs.client(name),
      '--no-defaults',
      ...connection(programs, target),
      ...(name === '' ? ['--default-character-set=latin1'] : []),
    ].join(' ')
  return {
    PATH: process.env['PATH'] ?? '',
    LC_ALL: 'C',
    TZ: 'GMT-3',
    HOME: tmp,
    MARIADB_PLUGIN_DIR: programs.clientPlugins,
    MYSQL_TEST_DIR: programs.files,
    MYSQLTEST_VARDIR: varDir,
    MYSQLTEST_REAL_VARDIR: varDir,
    MYSQL_TMP_DIR: tmp,
    SECURE_LOAD_PATH: join(programs.files, 'std_data'),
    MYSQL_CHARSETSDIR: charsets,
    MYSQL_SHAREDIR: programs.share,
    MASTER_MYPORT: String(target.port),
    MASTER_MYSOCK: target.socket,
    MASTER_MYHOST: '127.0.0.1',
    DEFAULT_MASTER_PORT: '0',
    MTR_TEST_NAME: file.name.replace(/.*\//, ''),
    MTR_SUITE_DIR: file.folder,
    MYSQL_TEST_ROOT: '1',
    EXE_MYSQL: programs.client('').join(' '),
    MYSQL: client(''),
    MYSQL_DUMP: client('dump'),
    MYSQL_SHOW: client('show'),
    MYSQL_CHECK: client('check'),
    MYSQL_IMPORT: client('import'),
    MYSQLADMIN: client('admin'),
    MYSQL_SLAP: client('slap'),
    MYSQL_TEST: [...programs.mysqltest, '--no-defaults', ...connection(programs, target)].join(' '),
  }
}
