import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { SandboxError } from './errors.js'

export interface PortRange {
  first: number
  last: number
}

const WANTED: PortRange = { first: 20_000, last: 65_535 }
const ATTEMPTS = 200

/**
 * Ports to choose from: above 20,000 and outside the range from which the kernel takes the local ports of outgoing
 * connections, so that nobody takes a server's port while that server is down. See ip(7), ip_local_port_range.
 */
export function portRange(ephemeral: PortRange = ephemeralRange()): PortRange {
  const below = { first: WANTED.first, last: Math.min(WANTED.last, ephemeral.first - 1) }
  const above = { first: Math.max(WANTED.first, ephemeral.last + 1), last: WANTED.last }
  const larger = size(below) >= size(above) ? below : above
  return size(larger) >= 1_000 ? larger : WANTED
}

/** Different ports on 127.0.0.1 that nobody listens on at the moment. Somebody may be quicker: be ready to ask again. */
export async function freePorts(count: number, range: PortRange = portRange()): Promise<number[]> {
  const ports = new Set<number>()
  for (let attempt = 0; attempt < ATTEMPTS && ports.size < count; attempt++) {
    const port = randomInt(range.first, range.last + 1)
    if (!ports.has(port) && (await isFree(port))) ports.add(port)
  }
  if (ports.size < count) throw new SandboxError(`found no ${count} free ports in ${range.first}-${range.last}`)
  return [...ports]
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

function ephemeralRange(): PortRange {
  try {
    const text = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
    const [first = 32_768, last = 60_999] = text.trim().split(/\s+/).map(Number)
    return { first, last }
  } catch {
    return { first: 32_768, last: 60_999 }
  }
}

function size({ first, last }: PortRange): number {
  return Math.max(0, last - first + 1)
}
