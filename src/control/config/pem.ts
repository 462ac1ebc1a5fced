import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** What is wrong with one of the PEM files of a TLS configuration. */
export class PemError extends Error {
  readonly part: PemPart
  readonly path: string

  constructor(part: PemPart, path: string, message: string) {
    super(`${path}: ${message}`)
    this.name = 'PemError'
    this.part = part
    this.path = path
  }
}

export type PemPart = 'ca' | 'cert' | 'key'

const ONE_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Certificates of authorities: at least one. @throws PemError */
export function readAuthorities(path: string): string {
  const text = read('ca', path)
  const all = text.match(ONE_CERTIFICATE) ?? []
  if (all.length === 0 || all.some((one) => parseCertificate(one) === null)) {
    throw new PemError('ca', path, 'expected certificates in PEM format')
  }
  return text
}

/** Certificate and key after checking that they belong together and are valid today. @throws PemError */
export function readPair(certPath: string, keyPath: string): { cert: string; key: string } {
  const fail = (part: PemPart, path: string, message: string): never => {
    throw new PemError(part, path, message)
  }
  const cert = read('cert', certPath)
  const key = read('key', keyPath)
  const certificate = parseCertificate(cert) ?? fail('cert', certPath, 'expected a certificate in PEM format')
  const privateKey = parseKey(key) ?? fail('key', keyPath, 'expected a private key in PEM format, without a passphrase')
  if (!certificate.checkPrivateKey(privateKey)) fail('key', keyPath, `is not the key of ${certPath}`)
  if (Date.parse(certificate.validTo) <= Date.now()) fail('cert', certPath, `expired on ${certificate.validTo}`)
  if (Date.parse(certificate.validFrom) > Date.now()) {
    fail('cert', certPath, `is valid from ${certificate.validFrom} only`)
  }
  return { cert, key }
}

/** The first certificate of a text; null when there is none. */
export function parseCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}

export function parseKey(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem)
  } catch {
    return null
  }
}

function read(part: PemPart, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new PemError(part, path, `cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
