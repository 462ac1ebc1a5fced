import { describe, expect, it } from 'vitest'
import { noTlsOffered, tlsHost, tlsProblem, tlsWanted } from '../../../src/shared/server-tls.js'
import { SSL_MODES, type SslMode } from '../../../src/shared/snapshot.js'

const tls = (mode: SslMode) => ({ mode, ca: null, cert: null, key: null })

describe('ssl_mode', () => {
  it('never lets a connection go on without TLS from "required" on, over a socket either', () => {
    const wanted = (port: number) => SSL_MODES.map((mode) => tlsWanted(tls(mode), port))
    expect(wanted(3306)).toEqual(['off', 'preferred', 'required', 'required', 'required'])
    expect(wanted(0)).toEqual(['off', 'off', 'required', 'required', 'required'])
  })

  it('names server, mode and what is wrong', () => {
    const said = (code: string, message = '') => tlsProblem('10.0.0.5:3306', 'verify_ca', { code, message })
    expect(said('DEPTH_ZERO_SELF_SIGNED_CERT')).toBe(
      'tls: certificate of 10.0.0.5:3306 is not signed by ssl_ca (self-signed certificate; ssl_mode verify_ca)',
    )
    expect(said('CERT_HAS_EXPIRED')).toBe('tls: certificate of 10.0.0.5:3306 has expired (ssl_mode verify_ca)')
    expect(said('ECONNRESET', 'socket hang up')).toBe(
      'tls: handshake with 10.0.0.5:3306 failed: socket hang up (ssl_mode verify_ca)',
    )
    const altnames =
      "Hostname/IP does not match certificate's altnames: Host: db2. is not in the cert's altnames: DNS:db1"
    expect(said('ERR_TLS_CERT_ALTNAME_INVALID', altnames)).toBe(
      "tls: certificate of 10.0.0.5:3306 is for another host: Host: db2. is not in the cert's altnames: DNS:db1 (ssl_mode verify_ca)",
    )
    expect(noTlsOffered('db1:3306', 'required')).toBe('tls: db1:3306 does not offer TLS (ssl_mode required)')
  })

  it('looks for the host as it is configured, for localhost over a socket', () => {
    expect(tlsHost('db1', 3306)).toBe('db1')
    expect(tlsHost('/run/mysqld.sock', 0)).toBe('localhost')
  })
})
