import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

const ENTRIES_MAX = 1000
/** What may hold a password is not written down. */
const SECRET = /password|passwd|identified|mysql_users|credentials|token|secret/i

/** `$XDG_STATE_HOME/sluice/admin-history`, or below `~/.local/state`. */
export function historyPath(env: NodeJS.ProcessEnv): string {
  const state = env['XDG_STATE_HOME']
  const base = state?.startsWith('/') ? state : join(env['HOME'] ?? homedir(), '.local', 'state')
  return join(base, 'sluice', 'admin-history')
}

/** Newest first, as readline wants it. A history that cannot be read is none. */
export function readHistory(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .slice(-ENTRIES_MAX)
      .reverse()
  } catch {
    return []
  }
}

/** Takes lines newest first; whole or not at all, for its owner only. One that cannot be written is no reason to complain. */
export function writeHistory(path: string, lines: readonly string[]): void {
  const kept = lines.filter((line) => !SECRET.test(line) && !line.includes('\n')).slice(0, ENTRIES_MAX)
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const temporary = `${path}.${process.pid}`
    writeFileSync(
      temporary,
      [...kept]
        .reverse()
        .map((line) => `${line}\n`)
        .join(''),
      { mode: 0o600 },
    )
    renameSync(temporary, path)
  } catch {
    // The prompt has done its work.
  }
}
