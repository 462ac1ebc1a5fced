import type { ServerId, ServerTls, SslMode } from './snapshot.js'

/** OpenSSL's names of what can be wrong with a certificate, in words that say what to look at. */
const NOT_SIGNED: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'another authority has signed it',
  UNABLE_TO_GET_ISSUER_CERT: 'its issuer is not in the file',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its issuer is not in the file',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its issuer is not in the file',
  CERT_SIGNATURE_FAILURE: "its signature is not the authority's",
  INVALID_CA: 'its issuer is no authority',
}
const NOT_VALID: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
  CERT_REVOKED: 'was revoked',
}
const WRONG_HOST = 'ERR_TLS_CERT_ALTNAME_INVALID'

/** What a TLS library says of a connection that failed: its code where it has one, and its words. */
export interface TlsFailure {
  readonly code: string
  readonly message: string
}

/** Whether the mode looks at the server's certificate. */
export function verifiesCertificate(mode: SslMode): boolean {
  return mode === 'verify_ca' || mode === 'verify_identity'
}

/** Whether a connection over `port` (0: a unix socket) begins TLS, and whether it goes on without where there is none. */
export function tlsWanted({ mode }: ServerTls, port: number): 'off' | 'preferred' | 'required' {
  if (mode === 'disabled') return 'off'
  if (mode !== 'preferred') return 'required'
  // Nobody listens on a unix socket; MySQL's clients prefer none there either (libmysqlclient, cli_establish_ssl).
  return port === 0 ? 'off' : 'preferred'
}

/** The name that `verify_identity` looks for in the certificate: over a unix socket the server is this machine. */
export function tlsHost(host: string, port: number): string {
  return port === 0 ? 'localhost' : host
}

export function noTlsOffered(id: ServerId, mode: SslMode): string {
  return `tls: ${id} does not offer TLS (ssl_mode ${mode})`
}

/** One sentence that names server, mode and what was wrong. */
export function tlsProblem(id: ServerId, mode: SslMode, { code, message }: TlsFailure): string {
  const certificate = `tls: certificate of ${id}`
  if (code in NOT_SIGNED) return `${certificate} is not signed by ssl_ca (${NOT_SIGNED[code]}; ssl_mode ${mode})`
  if (code in NOT_VALID) return `${certificate} ${NOT_VALID[code]} (ssl_mode ${mode})`
  if (code === WRONG_HOST) return `${certificate} is for another host: ${reasonOf(message)} (ssl_mode ${mode})`
  return `tls: handshake with ${id} failed: ${reasonOf(message) || code} (ssl_mode ${mode})`
}

/** Without Node's opening words. */
function reasonOf(message: string): string {
  return message.replace(/^Hostname\/IP does not match certificate's altnames: /, '')
}
