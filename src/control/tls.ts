import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { UsageError } from '../shared/errors.js'
import type { Logger } from '../shared/log.js'
import type { TlsMaterial } from '../shared/snapshot.js'
import type { Config } from './config/config-schema.js'
import { PemError, parseCertificate, parseKey, readAuthorities, readPair } from './config/pem.js'

/** Names as MySQL gives its own (manual, "Creating SSL and RSA Certificates and Keys using MySQL"). */
const CERT_FILE = 'server-cert.pem'
const KEY_FILE = 'server-key.pem'
const VALID_YEARS = 10
const DAY_MS = 86_400_000
/** A generated certificate is replaced when it ends within this time. */
const RENEW_BEFORE_MS = 30 * DAY_MS
/** Clocks of clients may be behind ours. */
const BACKDATED_MS = DAY_MS

/** TLS towards clients as the files have it; null: they are not offered any. */
export type LoadedTls = Omit<TlsMaterial, 'ticketKeys'> | null

/**
 * Certificate and key for clients: the configured ones, checked, or those of the datadir, generated on the first start.
 * Throws a UsageError that names file, key and path when they cannot be used.
 */
export async function loadTls(config: Config, log: Logger): Promise<LoadedTls> {
  const { mode } = config.tls
  if (mode === 'off') return null
  const { pair, ca } = configuredTls(config)
  return { mode, ...(pair ?? (await generatedPair(config, log))), ca }
}

/** The configured files after checking that they can be used today, null for what is not configured; throws a UsageError. */
export function configuredTls({ path, tls }: Config): { pair: CertificatePair | null; ca: string | null } {
  try {
    return {
      pair: tls.cert === null || tls.key === null ? null : readPair(tls.cert, tls.key),
      ca: tls.ca === null ? null : readAuthorities(tls.ca),
    }
  } catch (error) {
    if (error instanceof PemError) throw new UsageError(`${path}: tls.${error.part}: ${error.message}`)
    throw error
  }
}

interface CertificatePair {
  readonly cert: string
  readonly key: string
}

async function generatedPair(config: Config, log: Logger): Promise<CertificatePair> {
  const certPath = join(config.datadir, CERT_FILE)
  const keyPath = join(config.datadir, KEY_FILE)
  try {
    const existing = readGenerated(certPath, keyPath)
    if (existing !== null) return existing
    const material = await generateMaterial()
    mkdirSync(config.datadir, { recursive: true, mode: 0o700 })
    // The key first: a certificate without its key would be replaced, a key without its certificate is, too.
    writeSecret(keyPath, material.key)
    writeSecret(certPath, material.cert)
    log.info(`generated a certificate for clients: ${certPath}`)
    return material
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new UsageError(`${config.path}: datadir: ${config.datadir} cannot hold the certificate (${code ?? message})`)
  }
}

/** null when there is none that serves. */
function readGenerated(certPath: string, keyPath: string): CertificatePair | null {
  if (!existsSync(certPath) || !existsSync(keyPath)) return null
  const cert = readFileSync(certPath, 'utf8')
  const key = readFileSync(keyPath, 'utf8')
  const certificate = parseCertificate(cert)
  const privateKey = parseKey(key)
  if (certificate === null || privateKey === null || !certificate.checkPrivateKey(privateKey)) return null
  return Date.parse(certificate.validTo) - Date.now() > RENEW_BEFORE_MS ? { cert, key } : null
}

/** P-256: a handshake costs a tenth of one with RSA, and every TLS library since 2010 has it. */
async function generateMaterial(): Promise<CertificatePair> {
  // Needed once in the life of an installation, and it takes longer to load than the rest of the start.
  const { generate } = await import('selfsigned')
  const name = hostname() || 'localhost'
  const notBeforeDate = new Date(Date.now() - BACKDATED_MS)
  const notAfterDate = new Date(notBeforeDate)
  notAfterDate.setFullYear(notAfterDate.getFullYear() + VALID_YEARS)
  const pems = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate,
    notAfterDate,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          ...(name === 'localhost' ? [] : [{ type: 2 as const, value: name }]),
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  })
  return { cert: pems.cert, key: pems.private }
}

function writeSecret(path: string, content: string): void {
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, content, { mode: 0o600 })
  chmodSync(temporary, 0o600)
  renameSync(temporary, path)
}
