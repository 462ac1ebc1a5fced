import { type Password, passwordBytes, type ServerLoginResult } from '../../../protocol/index.js'
import type { UserEntry } from '../../shared/snapshot.js'

/** With what Sluice logs in to the servers for an account. Kept in memory only, never logged. */
export interface Credentials {
  readonly username: string
  /** Empty where the account has none, and where only `nativeStage1` is known. */
  readonly password: Password
  /** SHA1(password): enough for mysql_native_password. */
  readonly nativeStage1?: Buffer | undefined
}

/** What the configuration says; null where a user has a hash only, so that its login has to reveal more. */
export function configuredCredentials(user: UserEntry): Credentials | null {
  const username = user.backendUser ?? user.name
  if (user.backendPassword !== null) return { username, password: user.backendPassword }
  return user.passwordHash === null ? { username, password: user.password } : null
}

/** What a login has shown; null: nothing, as with caching_sha2_password's fast exchange. */
export function revealedBy({ password, nativeStage1 }: ServerLoginResult, username: string): Credentials | null {
  if (password !== undefined) return { username, password }
  return nativeStage1 === undefined ? null : { username, password: '', nativeStage1 }
}

export function sameCredentials(one: Credentials, other: Credentials): boolean {
  if (one.nativeStage1 !== undefined || other.nativeStage1 !== undefined)
    return one.nativeStage1 !== undefined && other.nativeStage1?.equals(one.nativeStage1) === true
  return one.username === other.username && passwordBytes(one.password).equals(passwordBytes(other.password))
}
