import { createHash } from 'node:crypto'
import { Capability, passwordBytes } from '../../../protocol/index.js'
import { boundedCache } from '../../shared/bounded-cache.js'
import type { BackendLogin } from './backend-login.js'

/**
 * What connections have in common that can stand in for each other once session state has been brought over: account and
 * password, what was negotiated, the login's collation, and whether there is a schema (no connection can be without one
 * again). An opaque text; equal profiles are one string, so that maps find them quickly.
 */
export type ConnectionProfile = string

/** Profiles of sessions that come and go are remembered up to this number. */
const REMEMBERED_MAX = 10_000

/** Flags that change nothing once a connection is logged in, or nothing that Sluice would not see to. */
const OF_LOGIN_ONLY =
  Capability.CONNECT_ATTRS |
  Capability.IGNORE_SPACE |
  Capability.CONNECT_WITH_DB |
  Capability.PLUGIN_AUTH |
  Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA |
  Capability.SECURE_CONNECTION |
  Capability.LONG_PASSWORD |
  Capability.SESSION_TRACK

const known = boundedCache<string, ConnectionProfile>(REMEMBERED_MAX)

/** The profile of the connections that a login leads to. */
export function profileOf(
  login: BackendLogin,
  collation: number,
  hasSchema: boolean,
  ignoresSpace: boolean,
): ConnectionProfile {
  const { username, password, nativeStage1, capabilities, mariadbCapabilities } = login
  const secret = createHash('sha256')
    .update(nativeStage1 ?? passwordBytes(password))
    .digest('base64')
  const flags = ((capabilities & ~OF_LOGIN_ONLY) | (ignoresSpace ? Capability.IGNORE_SPACE : 0)) >>> 0
  const parts = [username, nativeStage1 === undefined, secret, flags, mariadbCapabilities, collation, hasSchema]
  const text = JSON.stringify(parts)
  const same = known.get(text)
  if (same !== undefined) return same
  known.set(text, text)
  return text
}
