/** The bytes are no zstd frame that may be given to a decompressor. */
export class ZstdFrameError extends Error {
  override readonly name = 'ZstdFrameError'
}

const MAGIC = 0xfd2fb528
const DICTIONARY_ID_BYTES = [0, 1, 2, 4]
const DESCRIPTOR_AT = 4
const SINGLE_SEGMENT = 0x20
const RESERVED = 0x08

/**
 * The length that a zstd frame says its content has, from its header (RFC 8878, 3.1.1.1); -1: it does not say.
 * Throws ZstdFrameError for what is no such frame, a skippable one included.
 */
export function zstdContentSize(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length <= DESCRIPTOR_AT || view.getUint32(0, true) !== MAGIC) throw new ZstdFrameError('no zstd frame')
  const descriptor = bytes[DESCRIPTOR_AT]
  if ((descriptor & RESERVED) !== 0) throw new ZstdFrameError('a reserved bit is set')
  const single = (descriptor & SINGLE_SEGMENT) !== 0
  const flag = descriptor >> 6
  const at = DESCRIPTOR_AT + 1 + (single ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]
  const length = flag === 0 ? (single ? 1 : 0) : 1 << flag
  if (bytes.length < at + length) throw new ZstdFrameError('its header is cut')
  if (length === 0) return -1
  if (length === 1) return bytes[at]
  if (length === 2) return view.getUint16(at, true) + 256
  if (length === 4) return view.getUint32(at, true)
  return view.getUint32(at, true) + 2 ** 32 * view.getUint32(at + 4, true)
}
