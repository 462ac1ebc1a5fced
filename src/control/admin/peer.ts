import { BlockList, isIPv6, type Socket } from 'node:net'

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** Whether a client's address is of this machine's loopback; undefined stands for a unix socket. */
export function isLocal(address: string | undefined): boolean {
  if (address === undefined) return true
  return LOOPBACK.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** The client's address as messages and the login guard name it: `localhost` for a unix socket. */
export function addressOf(socket: Socket): string {
  const address = socket.remoteAddress
  if (address === undefined) return 'localhost'
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
