import type { Socket } from 'node:net'
import { checkServerIdentity, connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { boundedCache } from '../../shared/bounded-cache.js'
import { tlsHost, tlsProblem, verifiesCertificate } from '../../shared/server-tls.js'
import type { BackendTarget } from './backend.js'

const KNOWN_MAX = 1000

/** What is kept of a server's TLS: built once for its settings, and gone with them. */
interface KnownTls {
  readonly context: SecureContext
  /** The last session that ended well: the next connection resumes it, which saves both sides the certificates. */
  session: Buffer | undefined
}

const known = boundedCache<string, KnownTls>(KNOWN_MAX)

function tlsOf({ id, tls }: BackendTarget): KnownTls {
  const key = `${id}\n${JSON.stringify(tls)}`
  const before = known.get(key)
  if (before !== undefined) return before
  const { ca, cert, key: privateKey } = tls
  const context = createSecureContext({
    minVersion: 'TLSv1.2',
    ...(ca !== null && { ca }),
    ...(cert !== null && privateKey !== null && { cert, key: privateKey }),
  })
  const made: KnownTls = { context, session: undefined }
  known.set(key, made)
  return made
}

/**
 * Starts TLS towards a server over a connection on which the server has been asked for it.
 * @param established called when the server is who its ssl_mode says it must be; nothing has been sent to it before
 * @param failed called with a sentence otherwise; the socket is for its owner to close
 */
export function startBackendTls(
  plain: Socket,
  target: BackendTarget,
  established: () => void,
  failed: (problem: string) => void,
): TLSSocket {
  const { id, host, port, tls } = target
  const cached = tlsOf(target)
  let wrongHost: Error | undefined
  const socket = connect({
    socket: plain,
    secureContext: cached.context,
    // Judged below, by the mode.
    rejectUnauthorized: false,
    checkServerIdentity: (_name, certificate) => {
      if (tls.mode === 'verify_identity') wrongHost = checkServerIdentity(tlsHost(host, port), certificate)
      return wrongHost
    },
    ...(cached.session !== undefined && { session: cached.session }),
  })
  let trusted = false
  const keep = (session: Buffer): void => {
    if (trusted) cached.session = session
  }
  socket.on('session', keep)
  socket.once('secureConnect', () => {
    if (verifiesCertificate(tls.mode) && !socket.authorized) {
      cached.session = undefined
      // Node has an error's code here, whatever its types say.
      const code = String(socket.authorizationError)
      return failed(tlsProblem(id, tls.mode, { code, message: wrongHost?.message ?? code }))
    }
    trusted = true
    // Of TLS 1.2 it is there by now; that of 1.3 comes later.
    if (socket.getProtocol() === 'TLSv1.2') cached.session = socket.getSession()
    established()
  })
  socket.on('error', (error: NodeJS.ErrnoException & { reason?: string }) => {
    const isTls = !trusted || error.code?.startsWith('ERR_SSL_') === true
    // A session that the server cannot make sense of is not worth a second try.
    if (isTls) cached.session = undefined
    const failure = { code: error.code ?? '', message: error.reason ?? error.message }
    failed(isTls ? tlsProblem(id, tls.mode, failure) : error.message)
  })
  return socket
}
