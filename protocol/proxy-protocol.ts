import { Buffer } from 'node:buffer'
import { ProtocolError, ServerErrors } from './errors.js'
import { formatIp, parseIp } from './ip-address.js'

/**
 * The header of the PROXY protocol, versions 1 and 2 (HAProxy, "The PROXY protocol", proxy-protocol.txt): how a load
 * balancer or proxy tells the server who the client is. It goes before the first byte that the client's side sends.
 */

/** The two ends of the connection that was forwarded: the client, and the address that it connected to. */
export interface ProxyEndpoints {
  readonly family: 'tcp4' | 'tcp6'
  readonly sourceAddress: string
  /** 0 to 65535, as the other one. */
  readonly sourcePort: number
  readonly destinationAddress: string
  readonly destinationPort: number
}

export interface ProxyHeader {
  readonly version: 1 | 2
  /** Bytes of the header; what follows them belongs to the connection. */
  readonly length: number
  /** null: it speaks of no other address (LOCAL, UNKNOWN, unix sockets), so the connection's own counts. */
  readonly endpoints: ProxyEndpoints | null
}

const V1_START = Buffer.from('PROXY ')
const V1_END = '\r\n'
/** "A 108-byte buffer is always enough to store all the line and a trailing zero." */
const V1_BYTES_MAX = 107
const V1_LINE = /^PROXY (TCP4|TCP6) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/
const V1_UNKNOWN = /^PROXY UNKNOWN( |$)/
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_FIXED_BYTES = 16
/** With its TLVs. The protocol allows 65,535; senders stay under 1,500. */
const V2_BYTES_MAX = 4096
const V2_VERSION = 0x20
const V2_LOCAL = 0x20
const V2_PROXY = 0x21
/** Address family and transport, with the bytes of an address. */
const V2_TCP4 = 0x11
const V2_TCP6 = 0x21
const V2_UNIX = 0x31
const V2_UNSPECIFIED = 0x00
const V2_ADDRESS_BYTES: Readonly<Record<number, number>> = { [V2_TCP4]: 4, [V2_TCP6]: 16, [V2_UNIX]: 108 }
const PORT_MAX = 65_535

/**
 * Looks at the first bytes that came over a connection.
 * @returns null when they are no header, `more` when there are too few to tell or to read it
 * @throws ProtocolError `proxy-header` for one that is malformed or too long
 */
export function decodeProxyHeader(bytes: Buffer): ProxyHeader | 'more' | null {
  if (startsLike(bytes, V1_START)) return bytes.length < V1_START.length ? 'more' : decodeV1(bytes)
  if (startsLike(bytes, V2_SIGNATURE)) return bytes.length < V2_FIXED_BYTES ? 'more' : decodeV2(bytes)
  return null
}

/** A whole header. @param endpoints null: the connection is the sender's own (v2 LOCAL, v1 UNKNOWN) */
export function encodeProxyHeader(version: 1 | 2, endpoints: ProxyEndpoints | null): Buffer {
  return version === 1 ? encodeV1(endpoints) : encodeV2(endpoints)
}

/** Nothing yet is no sign of anything. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return length > 0 && bytes.compare(start, 0, length, 0, length) === 0
}

function decodeV1(bytes: Buffer): ProxyHeader | 'more' {
  const end = bytes.subarray(0, V1_BYTES_MAX).indexOf(V1_END)
  if (end < 0) {
    if (bytes.length < V1_BYTES_MAX) return 'more'
    throw malformed(`its line is longer than ${V1_BYTES_MAX} bytes`)
  }
  const line = bytes.toString('latin1', 0, end)
  const length = end + V1_END.length
  if (V1_UNKNOWN.test(line)) return { version: 1, length, endpoints: null }
  const found = V1_LINE.exec(line)
  if (found === null) throw malformed('its line is not as in version 1')
  const [, family, source, destination, sourcePort, destinationPort] = found
  const size = family === 'TCP4' ? 4 : 16
  if (parseIp(source)?.length !== size || parseIp(destination)?.length !== size) {
    throw malformed(`its addresses are not of ${family}`)
  }
  if (Number(sourcePort) > PORT_MAX || Number(destinationPort) > PORT_MAX) throw malformed('a port is over 65535')
  const endpoints: ProxyEndpoints = {
    family: family === 'TCP4' ? 'tcp4' : 'tcp6',
    sourceAddress: source,
    sourcePort: Number(sourcePort),
    destinationAddress: destination,
    destinationPort: Number(destinationPort),
  }
  return { version: 1, length, endpoints }
}

function decodeV2(bytes: Buffer): ProxyHeader | 'more' {
  const command = bytes[12]
  const family = bytes[13]
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14)
  if (command !== V2_LOCAL && command !== V2_PROXY) {
    throw malformed((command & 0xf0) === V2_VERSION ? 'its command is unknown' : 'its version is not 2')
  }
  if (length > V2_BYTES_MAX) throw malformed(`it is longer than ${V2_BYTES_MAX} bytes`)
  const addressBytes = V2_ADDRESS_BYTES[family]
  if (command === V2_PROXY) {
    if (addressBytes === undefined && family !== V2_UNSPECIFIED) throw malformed('its address family is unknown')
    if (length < V2_FIXED_BYTES + addressBlockBytes(family)) throw malformed('it is too short for its addresses')
  }
  if (bytes.length < length) return 'more'
  if (command === V2_LOCAL || family === V2_UNIX || addressBytes === undefined) {
    return { version: 2, length, endpoints: null }
  }
  const at = V2_FIXED_BYTES
  const ports = at + 2 * addressBytes
  const endpoints: ProxyEndpoints = {
    family: family === V2_TCP4 ? 'tcp4' : 'tcp6',
    sourceAddress: formatIp(bytes.subarray(at, at + addressBytes)),
    destinationAddress: formatIp(bytes.subarray(at + addressBytes, ports)),
    sourcePort: bytes.readUInt16BE(ports),
    destinationPort: bytes.readUInt16BE(ports + 2),
  }
  return { version: 2, length, endpoints }
}

/** Both addresses, and the ports where there are any. */
function addressBlockBytes(family: number): number {
  if (family === V2_UNSPECIFIED) return 0
  return 2 * V2_ADDRESS_BYTES[family] + (family === V2_UNIX ? 0 : 4)
}

function encodeV1(endpoints: ProxyEndpoints | null): Buffer {
  if (endpoints === null) return Buffer.from(`PROXY UNKNOWN${V1_END}`)
  const { family, sourceAddress, destinationAddress, sourcePort, destinationPort } = endpoints
  const addresses = `${sourceAddress} ${destinationAddress} ${sourcePort} ${destinationPort}`
  return Buffer.from(`PROXY ${family.toUpperCase()} ${addresses}${V1_END}`)
}

function encodeV2(endpoints: ProxyEndpoints | null): Buffer {
  if (endpoints === null) return v2(V2_LOCAL, V2_UNSPECIFIED, Buffer.alloc(0))
  const addresses = [endpoints.sourceAddress, endpoints.destinationAddress].map((address) => parseIp(address))
  const size = endpoints.family === 'tcp4' ? 4 : 16
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(endpoints.sourcePort, 0)
  ports.writeUInt16BE(endpoints.destinationPort, 2)
  const [source, destination] = addresses
  if (source?.length !== size || destination?.length !== size) throw new Error(`addresses are not ${endpoints.family}`)
  return v2(V2_PROXY, size === 4 ? V2_TCP4 : V2_TCP6, Buffer.concat([source, destination, ports]))
}

function v2(command: number, family: number, block: Buffer): Buffer {
  const fixed = Buffer.alloc(4)
  fixed[0] = command
  fixed[1] = family
  fixed.writeUInt16BE(block.length, 2)
  return Buffer.concat([V2_SIGNATURE, fixed, block])
}

function malformed(why: string): ProtocolError {
  return new ProtocolError('proxy-header', `malformed PROXY protocol header: ${why}`, ServerErrors.HANDSHAKE_ERROR)
}
