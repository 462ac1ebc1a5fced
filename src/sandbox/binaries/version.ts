import type { Engine } from '../types.js'

export interface ServerVersion {
  engine: Engine
  /** Three numbers: `9.7.1`. */
  version: string
}

/** Oldest servers the sandbox can set up: both speak the replication statements it uses. */
const OLDEST: Record<Engine, readonly [number, number, number]> = {
  mysql: [8, 0, 26], // first with the source/replica names of the semi-synchronous plugins
  mariadb: [10, 5, 9], // first with the SLAVE MONITOR privilege
}

/**
 * Reads what `mysqld --version` prints: `... Ver 9.7.1 for Linux on x86_64 (...)` or `... Ver 10.11.11-MariaDB-... for ...`.
 * Distributions install MariaDB under the name mysqld too, so the text decides which engine it is.
 * @returns undefined when the text is not a server's version
 */
export function parseServerVersion(text: string): ServerVersion | undefined {
  const match = /\bVer (\d+\.\d+\.\d+)(\S*)/.exec(text)
  if (match?.[1] === undefined) return undefined
  return { engine: /mariadb/i.test(match[2] ?? '') ? 'mariadb' : 'mysql', version: match[1] }
}

/** Whether the sandbox can run this version; see {@link oldestSupported}. */
export function isSupported({ engine, version }: ServerVersion): boolean {
  const parts = version.split('.').map(Number)
  for (const [index, least] of OLDEST[engine].entries()) {
    const part = parts[index] ?? 0
    if (part !== least) return part > least
  }
  return true
}

export function oldestSupported(engine: Engine): string {
  return OLDEST[engine].join('.')
}

export const ENGINE_NAMES: Record<Engine, string> = { mysql: 'MySQL', mariadb: 'MariaDB' }
