import { resolve } from 'node:path'
import type { ServerTls, SslMode } from '../../shared/snapshot.js'
import type { ConfigDocument, ConfigPath } from './config-file.js'
import type { Config, ConfigFile, ServerConfig, TlsFiles } from './config-schema.js'
import { PemError, type PemPart, readAuthorities, readPair } from './pem.js'

/** The keys of `tls`; its files are read later, where one may have to be generated. */
export function readClientTls(file: ConfigFile, document: ConfigDocument, directory: string): Config['tls'] {
  const { mode, cert, key, ca } = file.tls ?? { mode: 'preferred', cert: null, key: null, ca: null }
  if (cert !== null && key === null) document.fail(['tls', 'key'], 'expected the key of tls.cert, got nothing')
  if (key !== null && cert === null) document.fail(['tls', 'cert'], 'expected the certificate of tls.key, got nothing')
  if (mode === 'verify_ca' && ca === null) {
    document.fail(['tls', 'ca'], 'expected a file with the authorities of client certificates, got nothing')
  }
  if (mode !== 'verify_ca' && ca !== null) {
    document.fail(['tls', 'ca'], `has a meaning only with mode: verify_ca, and the mode is ${mode}`)
  }
  return { mode, ...absolute(directory, { cert, key, ca }) }
}

/**
 * Reads the TLS settings of servers and the PEM files that they name, each once. A server that is in several hostgroups
 * must have the same in all: it changes places, and must not lose its encryption by that.
 */
export function serverTlsReader(file: ConfigFile, document: ConfigDocument, directory: string) {
  const known = new Map<string, { readonly index: number; readonly tls: string }>()
  const texts = new Map<string, unknown>()
  const once = <T>(key: string, read: () => T): T => {
    if (!texts.has(key)) texts.set(key, read())
    return texts.get(key) as T
  }
  return (id: string, index: number): Pick<ServerConfig, 'tls' | 'tlsFiles'> => {
    const mode = modeOf(file, document, index)
    const { files, keys } = filesOf(file, document, directory, index, mode)
    const tls: ServerTls = { mode, ...(mode === 'disabled' ? NOTHING : readFiles(document, files, keys, once)) }
    const text = JSON.stringify([tls, file.servers[index].proxy_protocol])
    const twin = known.get(id)
    if (twin !== undefined && twin.tls !== text) {
      const message = `its TLS settings and proxy_protocol differ from those of ${document.nameOf(['servers', twin.index])}, the same server`
      document.fail(['servers', index], message)
    }
    known.set(id, { index, tls: text })
    return { tls, tlsFiles: files }
  }
}

const NOTHING: TlsFiles = { ca: null, cert: null, key: null }

function modeOf(file: ConfigFile, document: ConfigDocument, index: number): SslMode {
  const { use_ssl, ssl_mode } = file.servers[index]
  if (!use_ssl) return ssl_mode ?? 'disabled'
  if (ssl_mode === 'disabled' || ssl_mode === 'preferred') {
    document.fail(['servers', index, 'ssl_mode'], `use_ssl: true means required or more, and this is ${ssl_mode}`)
  }
  return ssl_mode ?? 'required'
}

type KeyOf = Readonly<Record<PemPart, ConfigPath>>

/** A server's own files before those of `backend_tls`; certificate and key come from the same place. */
function filesOf(file: ConfigFile, document: ConfigDocument, directory: string, index: number, mode: SslMode) {
  const own = file.servers[index]
  const shared = file.backend_tls ?? { ssl_ca: null, ssl_cert: null, ssl_key: null }
  const at = (key: string): ConfigPath => ['servers', index, key]
  const isOwn = { ca: own.ssl_ca !== null, pair: own.ssl_cert !== null || own.ssl_key !== null }
  if (mode === 'disabled') {
    const useless = (['ssl_ca', 'ssl_cert', 'ssl_key'] as const).find((key) => own[key] !== null)
    if (useless !== undefined) {
      document.fail(at(useless), 'has a meaning only with an ssl_mode that encrypts, and the mode is disabled')
    }
    return { files: NOTHING, keys: {} as KeyOf }
  }
  const pair = isOwn.pair ? own : shared
  const placeOf = (owned: boolean, key: string): ConfigPath => (owned ? at(key) : ['backend_tls', key])
  const keys: KeyOf = {
    ca: placeOf(isOwn.ca, 'ssl_ca'),
    cert: placeOf(isOwn.pair, 'ssl_cert'),
    key: placeOf(isOwn.pair, 'ssl_key'),
  }
  const ca = own.ssl_ca ?? shared.ssl_ca
  if (pair.ssl_cert !== null && pair.ssl_key === null) {
    document.fail(keys.key, 'expected the key of ssl_cert, got nothing')
  }
  if (pair.ssl_key !== null && pair.ssl_cert === null) {
    document.fail(keys.cert, 'expected the certificate of ssl_key, got nothing')
  }
  if ((mode === 'verify_ca' || mode === 'verify_identity') && ca === null) {
    document.fail(at('ssl_ca'), `expected a file with the authorities for ssl_mode ${mode}, here or in backend_tls`)
  }
  return { files: absolute(directory, { ca, cert: pair.ssl_cert, key: pair.ssl_key }), keys }
}

function readFiles(
  document: ConfigDocument,
  { ca, cert, key }: TlsFiles,
  keys: KeyOf,
  once: <T>(key: string, read: () => T) => T,
): TlsFiles {
  try {
    return {
      ca: ca === null ? null : once(ca, () => readAuthorities(ca)),
      ...(cert === null || key === null
        ? { cert: null, key: null }
        : once(`${cert}\n${key}`, () => readPair(cert, key))),
    }
  } catch (error) {
    if (error instanceof PemError) document.fail(keys[error.part], error.message)
    throw error
  }
}

function absolute(directory: string, { ca, cert, key }: TlsFiles): TlsFiles {
  const path = (file: string | null): string | null => (file === null ? null : resolve(directory, file))
  return { ca: path(ca), cert: path(cert), key: path(key) }
}
