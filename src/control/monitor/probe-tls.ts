import { isIP } from 'node:net'
import type { QueryError, SslOptions } from 'mysql2'
import { noTlsOffered, type TlsFailure, tlsHost, tlsProblem, verifiesCertificate } from '../../shared/server-tls.js'
import type { ServerId, ServerTls } from '../../shared/snapshot.js'

interface Target {
  readonly id: ServerId
  readonly host: string
  /** 0: `host` is the path of a unix socket. */
  readonly port: number
  readonly tls: ServerTls
}

/** mysql2's option `ssl`. */
export function sslOptions({ mode, ca, cert, key }: ServerTls): SslOptions {
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: verifiesCertificate(mode),
    verifyIdentity: mode === 'verify_identity',
    ...(ca !== null && { ca }),
    ...(cert !== null && key !== null && { cert, key }),
  }
}

/**
 * mysql2's option `host`, which beside `stream` serves only to check certificates. It leaves IP addresses out of the
 * check; with the dot that ends an absolute name it takes them for names, and Node, which ignores that dot, compares
 * them with the certificate's IP addresses.
 */
export function hostToVerify({ host, port }: Target): string {
  const name = tlsHost(host, port)
  return isIP(name) === 0 ? name : `${name}.`
}

/** Whether TLS was asked of a server that has none. */
export function isTlsNotOffered(error: Error): boolean {
  return (error as QueryError).code === NO_TLS_OFFERED
}

/** What is wrong with TLS, in the words of the workers; null when it is something else. */
export function tlsErrorText({ id, tls }: Target, error: Error): string | null {
  const { code = '', reason, message } = error as Error & { code?: string; reason?: string }
  if (code === NO_TLS_OFFERED) return noTlsOffered(id, tls.mode)
  if (code !== TLS_FAILED && !code.startsWith('ERR_SSL_')) return null
  const failure: TlsFailure = { code: CODES[message] ?? code, message: reason ?? message }
  const isWrongHost = message.startsWith("Hostname/IP does not match certificate's altnames")
  return tlsProblem(id, tls.mode, isWrongHost ? { code: 'ERR_TLS_CERT_ALTNAME_INVALID', message } : failure)
}

/** mysql2's codes of a server that does not offer TLS, and of a handshake that failed; the latter hides Node's own. */
const NO_TLS_OFFERED = 'HANDSHAKE_NO_SSL_SUPPORT'
const TLS_FAILED = 'HANDSHAKE_SSL_ERROR'

/** Node's codes by OpenSSL's words for them (X509_verify_cert_error_string). */
const CODES: Readonly<Record<string, string>> = {
  'self-signed certificate': 'DEPTH_ZERO_SELF_SIGNED_CERT',
  'self-signed certificate in certificate chain': 'SELF_SIGNED_CERT_IN_CHAIN',
  'unable to get issuer certificate': 'UNABLE_TO_GET_ISSUER_CERT',
  'unable to get local issuer certificate': 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'unable to verify the first certificate': 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'certificate signature failure': 'CERT_SIGNATURE_FAILURE',
  'invalid CA certificate': 'INVALID_CA',
  'certificate has expired': 'CERT_HAS_EXPIRED',
  'certificate is not yet valid': 'CERT_NOT_YET_VALID',
}
