import { Capability, encodeAttributes, type Password, type ProxyEndpoints } from '../../../protocol/index.js'
import { SLUICE_VERSION } from '../../shared/version.js'
import type { Credentials } from '../login/credentials.js'

/** As whom, and with which capabilities, a session's backend connections log in. */
export interface BackendLogin {
  readonly username: string
  readonly password: Password
  /** SHA1(password), for mysql_native_password, where the password is not known. */
  readonly nativeStage1?: Buffer | undefined
  readonly database: string
  /** Collation id from the client's own handshake. */
  readonly collation: number
  /** CLIENT_* flags that the client negotiated and that mean something to the server. */
  readonly capabilities: number
  readonly mariadbCapabilities: number
  /** Raw connection attributes block, or undefined. */
  readonly attributes: Buffer | undefined
  /** Whose connection it is, for the PROXY protocol; null or absent: Sluice's own, or a unix socket's. */
  readonly client?: ProxyEndpoints | null
  /** The password is the client's alone: no server but the one that asked the client itself lets this account in. */
  readonly withoutPassword?: boolean
}

/** What a client's own login tells of the connections that are opened for it. */
export interface LoginFacts {
  /** Negotiated with the client. */
  readonly capabilities: number
  readonly mariadbCapabilities: number
  readonly database: string
  readonly collation: number
  readonly attributes: Buffer | undefined
  readonly client: ProxyEndpoints | null
}

/** @param credentials null: the client has answered a server itself, and nobody else knows its password */
export function backendLogin(credentials: Credentials | null, username: string, facts: LoginFacts): BackendLogin {
  return {
    username: credentials?.username ?? username,
    password: credentials?.password ?? '',
    nativeStage1: credentials?.nativeStage1,
    database: facts.database,
    collation: facts.collation,
    capabilities: (facts.capabilities & TO_BACKENDS) >>> 0,
    mariadbCapabilities: facts.mariadbCapabilities,
    attributes: withOwnAttributes(facts.attributes),
    client: facts.client,
    withoutPassword: credentials === null,
  }
}

/** What of the client's capabilities is Sluice's business alone; all others are the same towards the servers. */
const TO_BACKENDS = ~(
  Capability.SSL |
  Capability.COMPRESS |
  Capability.ZSTD_COMPRESSION_ALGORITHM |
  Capability.CONNECT_WITH_DB |
  Capability.MULTI_FACTOR_AUTHENTICATION
)

/** So that performance_schema.session_connect_attrs tells through what a connection came. Names with `_` are not for applications. */
const OWN_ATTRIBUTES = encodeAttributes([
  ['_proxy_name', 'sluice'],
  ['_proxy_version', SLUICE_VERSION],
])
/** A server takes 64 KiB of them. */
const ATTRIBUTES_SIZE_MAX = 65_535

function withOwnAttributes(attributes: Buffer | undefined): Buffer | undefined {
  if (attributes === undefined || attributes.length + OWN_ATTRIBUTES.length > ATTRIBUTES_SIZE_MAX) return attributes
  return Buffer.concat([attributes, OWN_ATTRIBUTES])
}
