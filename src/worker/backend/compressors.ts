import * as zlib from 'node:zlib'
import {
  Capability,
  type CompressionAlgorithm,
  type Compressor,
  DEFAULT_COMPRESSION_LEVEL,
  zlibCompressor,
} from '../../../protocol/index.js'
import type { Logger } from '../../shared/log.js'
import { ZstdFrameError, zstdContentSize } from './zstd-frame.js'

/** How one connection is compressed. */
export interface Compression {
  readonly compressor: Compressor
  readonly level: number
}

/** The client's and the server's flag for each algorithm. */
const FLAGS: Readonly<Record<CompressionAlgorithm, number>> = {
  zlib: Capability.COMPRESS,
  zstd: Capability.ZSTD_COMPRESSION_ALGORITHM,
}

export const COMPRESSION_FLAGS = (FLAGS.zlib | FLAGS.zstd) >>> 0

/** The flag of an algorithm, 0 without one. */
export function compressionFlag(algorithm: CompressionAlgorithm | 'off' | 'uncompressed'): number {
  return algorithm === 'off' || algorithm === 'uncompressed' ? 0 : FLAGS[algorithm]
}

/** What two sides use that have agreed on these CLIENT_* flags: zlib before zstd, as servers do. */
export function agreedAlgorithm(capabilities: number): CompressionAlgorithm | null {
  if ((capabilities & FLAGS.zlib) !== 0) return 'zlib'
  return (capabilities & FLAGS.zstd) !== 0 ? 'zstd' : null
}

/**
 * The compressor of an algorithm. zstd is only made when somebody uses it, since it may take memory of its own.
 * @param level what a client asks for with zstd: of 1 to 22 no more than 6 is given, anything else is the default
 */
export async function compressionFor(algorithm: CompressionAlgorithm, level = 0): Promise<Compression> {
  const known = algorithm === 'zstd' && level >= 1 && level <= ZSTD_LEVEL_MAX
  return {
    compressor: algorithm === 'zlib' ? zlibCompressor : await zstd(),
    level: known ? Math.min(level, ZSTD_LEVEL_GIVEN_MAX) : DEFAULT_COMPRESSION_LEVEL[algorithm],
  }
}

const ZSTD_LEVEL_MAX = 22
/** A level of 19 takes twenty times as long as one of 3, and all other clients of the worker would wait. */
const ZSTD_LEVEL_GIVEN_MAX = 6

/** Servers whose connections are not compressed though they should be, by id and algorithm. */
const told = new Set<string>()

/** Logs once that a server does not offer what it is configured with. */
export function tellUncompressed(server: { readonly id: string; readonly compression: string }, log: Logger): void {
  const key = `${server.id} ${server.compression}`
  if (told.has(key)) return
  told.add(key)
  log.warn(
    { server: server.id, compression: server.compression },
    'the server does not offer its compression: going on without',
  )
}

let loading: Promise<Compressor> | null = null

function zstd(): Promise<Compressor> {
  loading ??= nodeZstd === null ? loadWasmZstd() : Promise.resolve(nodeZstd)
  return loading
}

/** Node's own, from 22.15 on. */
interface NodeZstd {
  zstdCompressSync(bytes: Uint8Array, options: { params: Record<number, number> }): Buffer
  zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Buffer
  constants: { ZSTD_c_compressionLevel: number }
}

const nodeZstd = 'zstdCompressSync' in zlib ? ownZstd(zlib as unknown as NodeZstd) : null

function ownZstd({ zstdCompressSync, zstdDecompressSync, constants }: NodeZstd): Compressor {
  return {
    algorithm: 'zstd',
    compress: (bytes, level) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } }),
    decompress: (bytes, size) => checkedSize(zstdDecompressSync(bytes, { maxOutputLength: size }), size),
  }
}

async function loadWasmZstd(): Promise<Compressor> {
  const { init, compress, decompress } = await import('@bokuweb/zstd-wasm')
  await init()
  return {
    algorithm: 'zstd',
    compress: (bytes, level) => compress(bytes, level),
    decompress(bytes, size) {
      // The library takes as much memory as the frame claims: the claim is read first.
      const claimed = zstdContentSize(bytes)
      if (claimed !== -1 && claimed !== size) throw new ZstdFrameError(`it claims ${claimed} bytes instead of ${size}`)
      return checkedSize(decompress(bytes, { defaultHeapSize: size }), size)
    },
  }
}

function checkedSize<T extends Uint8Array>(bytes: T, size: number): T {
  if (bytes.length !== size) throw new RangeError(`${bytes.length} bytes instead of ${size}`)
  return bytes
}
