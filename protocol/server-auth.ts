import type { Buffer } from 'node:buffer'
import { AuthPlugin, equalSecrets, nativeStage2, parseNativeHash, sha2Digest, verifyClear } from './auth.js'
import { parseSha2Hash, verifySha2Hash } from './auth-sha256-crypt.js'
import type { Secret } from './login.js'

/**
 * Plugins by which a kind of secret can be checked, best first. mysql_clear_password comes at the end of the secure
 * ones: it is not asked for, but accepted.
 */
const PLUGINS: Readonly<Record<Secret['kind'], { secure: readonly string[]; insecure: readonly string[] }>> = {
  clear: {
    secure: [AuthPlugin.CACHING_SHA2, AuthPlugin.NATIVE, AuthPlugin.CLEAR],
    insecure: [AuthPlugin.CACHING_SHA2, AuthPlugin.NATIVE],
  },
  // caching_sha2_password reveals the password over TLS, which is checked then; elsewhere its RSA exchange, which many
  // clients refuse to start, would be worse than the switch.
  native_hash: {
    secure: [AuthPlugin.NATIVE, AuthPlugin.CACHING_SHA2, AuthPlugin.CLEAR],
    insecure: [AuthPlugin.NATIVE],
  },
  sha2_hash: { secure: [AuthPlugin.CACHING_SHA2, AuthPlugin.CLEAR], insecure: [AuthPlugin.CACHING_SHA2] },
  none: {
    secure: [AuthPlugin.CACHING_SHA2, AuthPlugin.NATIVE, AuthPlugin.CLEAR],
    insecure: [AuthPlugin.CACHING_SHA2, AuthPlugin.NATIVE],
  },
  external: { secure: [AuthPlugin.CACHING_SHA2, AuthPlugin.CLEAR], insecure: [AuthPlugin.CACHING_SHA2] },
}

/** The plugin to use: the client's if it serves, else the greeting's if that serves, else the best one. */
export function pluginFor(secret: Secret, clientPlugin: string, defaultPlugin: string, secure: boolean): string {
  const plugins = PLUGINS[secret.kind][secure ? 'secure' : 'insecure']
  if (plugins.includes(clientPlugin)) return clientPlugin
  return plugins.includes(defaultPlugin) ? defaultPlugin : plugins[0]
}

/** SHA1(SHA1(password)) where the secret yields it. */
export function nativeStage2Of(secret: Secret): Buffer | undefined {
  if (secret.kind === 'clear') return nativeStage2(secret.password)
  return secret.kind === 'native_hash' ? parseNativeHash(secret.hash) : undefined
}

/** SHA256(SHA256(password)) where the secret yields it. */
export function fastDigestOf(secret: Secret): Buffer | undefined {
  if (secret.kind === 'clear') return sha2Digest(secret.password)
  return secret.kind === 'sha2_hash' || secret.kind === 'external' ? secret.digest : undefined
}

/** Whether a clear password is right; false for secrets that only others can judge. */
export function verifyPassword(secret: Secret, password: Buffer): boolean {
  switch (secret.kind) {
    case 'clear':
      return verifyClear(password, secret.password)
    case 'native_hash': {
      const stage2 = parseNativeHash(secret.hash)
      return stage2 !== undefined && equalSecrets(nativeStage2(password), stage2)
    }
    case 'sha2_hash': {
      const hash = parseSha2Hash(secret.hash)
      return hash !== undefined && verifySha2Hash(password, hash)
    }
    case 'none':
      return password.length === 0
    case 'external':
      return false
  }
}
