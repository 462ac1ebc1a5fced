import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

type Environment = Record<string, string | undefined>

/** Where unpacked servers are kept. `explicit` wins, then SLUICE_CACHE_DIR, then the XDG base directories. */
export function cacheFolder(explicit?: string, env: Environment = process.env): string {
  const own = explicit || env['SLUICE_CACHE_DIR']
  return own ? resolve(own) : join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice')
}

/** Where `sluice sandbox` keeps its cluster unless told otherwise, so that `status` and `down` find it. */
export function defaultSandboxFolder(env: Environment = process.env): string {
  return join(env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state'), 'sluice', 'sandbox')
}
