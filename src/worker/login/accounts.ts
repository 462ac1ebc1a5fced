import { AuthPlugin, type HandshakeResponse, type Secret } from '../../../protocol/index.js'
import type { Snapshot, UserEntry } from '../../shared/snapshot.js'
import { type Credentials, configuredCredentials } from './credentials.js'
import type { Verifier } from './verifiers.js'

/** What decides how a client is asked for its password. */
export interface AccountQuestion {
  readonly snapshot: Snapshot
  /** null: not configured. */
  readonly user: UserEntry | null
  readonly username: string
  readonly response: Pick<HandshakeResponse, 'authPlugin'>
  /** Nobody can listen: TLS, or a unix socket. */
  readonly secure: boolean
  readonly tls: boolean
  /** COM_CHANGE_USER. */
  readonly changesUser: boolean
  readonly verifier: Verifier | null
}

/** How a login is judged. */
export interface AccountPlan {
  readonly user: UserEntry
  /** `relay`: the primary asks the client itself, through Sluice. */
  readonly secret: Secret | 'relay'
  /** A server has the last word. */
  readonly passThrough: boolean
  /** Known before the client has shown its password; null: the login reveals it. */
  readonly credentials: Credentials | null
}

/** Decides how an account's login is judged; null: there is no such account. Pure. */
export function planLogin(question: AccountQuestion): AccountPlan | null {
  return question.user === null ? planPassThrough(question) : planConfigured(question.user, question)
}

function planConfigured(user: UserEntry, { verifier, tls }: AccountQuestion): AccountPlan | null {
  if (user.active === false) return null
  // As with REQUIRE SSL, a unix socket does not do.
  if (user.useSsl && !tls) return null
  const known = verifier !== null && verifier.hash === user.passwordHash ? verifier : null
  const credentials = configuredCredentials(user) ?? known?.credentials ?? null
  return { user, secret: configuredSecret(user, known), passThrough: false, credentials }
}

function configuredSecret({ password, passwordHash }: UserEntry, known: Verifier | null): Secret {
  if (passwordHash === null) return password === '' ? { kind: 'none' } : { kind: 'clear', password }
  if (passwordHash.startsWith('*')) return { kind: 'native_hash', hash: passwordHash }
  return { kind: 'sha2_hash', hash: passwordHash, digest: known?.digest }
}

function planPassThrough(question: AccountQuestion): AccountPlan | null {
  const { snapshot, username, response, secure, changesUser, verifier } = question
  const { passThrough, nativeHashes, greeting } = snapshot
  if (passThrough === null || username === '') return null
  const user = passThroughUser(username, passThrough.defaultHostgroup)
  const hashes = Object.hasOwn(nativeHashes, username) ? nativeHashes[username] : undefined
  // A client that names mysql_native_password may know no other plugin. Where it could show its password safely it is
  // asked for it; elsewhere its answer to the server's own challenge is all that there is.
  const namesNative = (response.authPlugin ?? AuthPlugin.NATIVE) === AuthPlugin.NATIVE
  const shows = !namesNative || secure || greeting.flavor === 'mysql'
  // With COM_CHANGE_USER client libraries answer the session's own challenge, not another server's.
  const relayed = !shows && !changesUser && hashes === undefined
  const secret: Secret | 'relay' = relayed
    ? 'relay'
    : { kind: 'external', digest: verifier?.digest, nativeHashes: hashes }
  return { user, secret, passThrough: true, credentials: verifier?.credentials ?? null }
}

/** An account of the servers that the configuration does not name. */
export function passThroughUser(name: string, defaultHostgroup: number): UserEntry {
  return {
    name,
    password: '',
    passwordHash: null,
    backendUser: null,
    backendPassword: null,
    defaultHostgroup,
    defaultSchema: null,
    maxConnections: 0,
    useSsl: false,
    multiplex: true,
  }
}
