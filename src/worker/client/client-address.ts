import { isIP, type Socket } from 'node:net'
import type { ProxyEndpoints, ProxyHeader } from '../../../protocol/index.js'
import { plainAddress } from '../../shared/networks.js'

/** Where a client is, as far as Sluice believes it. */
export interface ClientAddress {
  /** As MySQL names it in its messages: `localhost` for a unix socket. */
  readonly host: string
  /** 0 for a unix socket. */
  readonly port: number
  /** A unix socket, and nobody further away behind it: secure without TLS. */
  readonly local: boolean
  /** What a PROXY protocol header tells servers of it; null: nothing, for a unix socket. */
  readonly endpoints: ProxyEndpoints | null
}

/** The address that a connection comes from. */
export function addressOf(socket: Socket): ClientAddress {
  const { remoteAddress, remotePort = 0, localAddress, localPort = 0 } = socket
  if (remoteAddress === undefined) return { host: 'localhost', port: 0, local: true, endpoints: null }
  return remote(remoteAddress, remotePort, localAddress ?? remoteAddress, localPort)
}

/** The address that a PROXY protocol header names; the connection's own where it names none. */
export function addressIn({ endpoints }: ProxyHeader, own: ClientAddress): ClientAddress {
  if (endpoints === null) return own
  const { sourceAddress, sourcePort, destinationAddress, destinationPort } = endpoints
  return remote(sourceAddress, sourcePort, destinationAddress, destinationPort)
}

const NOWHERE = { tcp4: '0.0.0.0', tcp6: '::' } as const

function remote(address: string, port: number, localAddress: string, localPort: number): ClientAddress {
  const host = plainAddress(address)
  const family = isIP(host) === 4 ? 'tcp4' : 'tcp6'
  const destination = plainAddress(localAddress)
  // A header is of one family; of a socket, both addresses are.
  const destinationAddress = isIP(destination) === isIP(host) ? destination : NOWHERE[family]
  const ports = { sourcePort: port, destinationPort: localPort }
  return { host, port, local: false, endpoints: { family, sourceAddress: host, destinationAddress, ...ports } }
}
