import type { Buffer } from 'node:buffer'
import {
  AuthPlugin,
  equalSecrets,
  nativeStage2,
  parseNativeHash,
  sha2Digest,
  verifyClear,
  verifyNative,
  verifySha2,
} from './auth.js'
import { parseSha2Hash, verifySha2Hash } from './auth-sha256-crypt.js'
import type { Secret } from './login.js'

/** The secrets that are checked here: a relayed exchange chooses its plugin elsewhere. */
export type JudgedSecret = Exclude<Secret, { kind: 'relay' }>
type Transports = Readonly<Record<'secure' | 'insecure', readonly string[]>>

/**
 * Plugins by which a kind of secret can be checked, best first. mysql_clear_password comes at the end of the secure
 * ones: it is not asked for, but accepted.
 */
const PLUGINS: Readonly<Record<JudgedSecret['kind'], Transports>> = {
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

/** As `external`, where hashes are known against which the answer of mysql_native_password can be checked. */
const EXTERNAL_WITH_HASHES: Transports = {
  secure: [AuthPlugin.CACHING_SHA2, AuthPlugin.NATIVE, AuthPlugin.CLEAR],
  insecure: [AuthPlugin.CACHING_SHA2, AuthPlugin.NATIVE],
}

/** The plugin to use: the client's if it serves, else the greeting's if that serves, else the best one. */
export function pluginFor(secret: JudgedSecret, clientPlugin: string, defaultPlugin: string, secure: boolean): string {
  const plugins = pluginsOf(secret)[secure ? 'secure' : 'insecure']
  if (plugins.includes(clientPlugin)) return clientPlugin
  return plugins.includes(defaultPlugin) ? defaultPlugin : plugins[0]
}

function pluginsOf(secret: JudgedSecret): Transports {
  const withHashes = secret.kind === 'external' && (secret.nativeHashes?.length ?? 0) > 0
  return withHashes ? EXTERNAL_WITH_HASHES : PLUGINS[secret.kind]
}

/**
 * What the first answer of a plugin says: `right`; `wrong`; `full`: the password itself has to be asked for; `ask`:
 * someone else has to judge the empty password; `password`: the answer is the clear password.
 */
export type Verdict =
  | { readonly type: 'right'; readonly nativeStage1?: Buffer }
  | { readonly type: 'wrong' | 'full' | 'ask' | 'password' }

/** Judges the first answer of a plugin. Where the fast path of caching_sha2_password does not succeed, `full` as MySQL. */
export function judgeFirst(secret: JudgedSecret, plugin: string, answer: Buffer, scramble: Buffer): Verdict {
  if (isEmptyAnswer(answer)) {
    // Only those who know the accounts elsewhere can tell whether an empty password is right.
    return { type: secret.kind === 'none' ? 'right' : secret.kind === 'external' ? 'ask' : 'wrong' }
  }
  if (secret.kind === 'none') return { type: 'wrong' }
  if (plugin === AuthPlugin.CLEAR) return { type: 'password' }
  if (plugin === AuthPlugin.NATIVE) return judgeNative(secret, answer, scramble)
  const digest = fastDigestOf(secret)
  return { type: digest !== undefined && verifySha2(answer, scramble, digest) ? 'right' : 'full' }
}

/** caching_sha2_password sends a single zero for an empty password, mysql_clear_password always has one at the end. */
export function isEmptyAnswer(answer: Buffer): boolean {
  return answer.length === 0 || (answer.length === 1 && answer[0] === 0)
}

function judgeNative(secret: JudgedSecret, answer: Buffer, scramble: Buffer): Verdict {
  for (const stage2 of nativeStage2sOf(secret)) {
    const nativeStage1 = verifyNative(answer, scramble, stage2)
    if (nativeStage1 !== undefined) return { type: 'right', nativeStage1 }
  }
  return { type: 'wrong' }
}

/** SHA1(SHA1(password)) where the secret yields it; several when any of them is right. */
function nativeStage2sOf(secret: JudgedSecret): Buffer[] {
  if (secret.kind === 'clear') return [nativeStage2(secret.password)]
  const hashes = secret.kind === 'native_hash' ? [secret.hash] : secret.kind === 'external' ? secret.nativeHashes : []
  return (hashes ?? []).map(parseNativeHash).filter((stage2) => stage2 !== undefined)
}

/** SHA256(SHA256(password)) where the secret yields it. */
function fastDigestOf(secret: JudgedSecret): Buffer | undefined {
  if (secret.kind === 'clear') return sha2Digest(secret.password)
  return secret.kind === 'sha2_hash' || secret.kind === 'external' ? secret.digest : undefined
}

/** Whether a clear password is right; false for secrets that only others can judge. */
export function verifyPassword(secret: JudgedSecret, password: Buffer): boolean {
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
