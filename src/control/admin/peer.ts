import type { Socket } from 'node:net'
import { NetworkList, plainAddress } from '../../shared/networks.js'

/** As MySQL names a client of a unix socket. */
const UNIX_SOCKET = 'localhost'
const LOOPBACK = new NetworkList(['127.0.0.0/8', '::1'])

/** Whether an address as {@link addressOf} gives it is of this machine. */
export function isLocal(address: string): boolean {
  return address === UNIX_SOCKET || LOOPBACK.contains(address)
}

/** The client's address as messages and the login throttle name it: `localhost` for a unix socket. */
export function addressOf({ remoteAddress }: Socket): string {
  return remoteAddress === undefined ? UNIX_SOCKET : plainAddress(remoteAddress)
}
