import { BlockList, isIP } from 'node:net'

/** From unix sockets. */
const LOCAL = 'localhost'
const ANY = '*'

/** What is wrong with an entry of `proxy_protocol_networks`; null when nothing is. */
export function networkProblem(text: string): string | null {
  if (text === LOCAL || text === ANY) return null
  const range = parseRange(text)
  return range === null ? `${JSON.stringify(text)} is no address, range, ${LOCAL} or ${ANY}` : null
}

/** A set of addresses: single ones, CIDR ranges, `localhost` (unix sockets only) and `*` (everything, unix sockets too). */
export class NetworkList {
  readonly #ranges = new BlockList()
  readonly #local: boolean
  readonly #any: boolean
  readonly #empty: boolean

  /** @throws Error for an entry that {@link networkProblem} refuses */
  constructor(entries: readonly string[]) {
    this.#any = entries.includes(ANY)
    this.#local = this.#any || entries.includes(LOCAL)
    this.#empty = entries.length === 0
    for (const entry of entries) {
      const problem = networkProblem(entry)
      if (problem !== null) throw new Error(problem)
      const range = parseRange(entry)
      if (range !== null) this.#ranges.addSubnet(range.address, range.bits, range.family)
    }
  }

  /** @param address as a socket has it, IPv4 addresses in IPv6 form included; undefined for a unix socket */
  contains(address: string | undefined): boolean {
    if (this.#empty) return false
    if (address === undefined) return this.#local
    if (this.#any) return true
    const plain = plainAddress(address)
    return this.#ranges.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4')
  }
}

/** `::ffff:10.0.0.1`, as a socket that takes both families has it, is `10.0.0.1`; a zone (`fe80::1%eth0`) is left out. */
export function plainAddress(address: string): string {
  const zone = address.indexOf('%')
  const bare = zone < 0 ? address : address.slice(0, zone)
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(bare) ? bare.slice(7) : bare
}

interface Range {
  readonly address: string
  readonly bits: number
  readonly family: 'ipv4' | 'ipv6'
}

function parseRange(text: string): Range | null {
  const slash = text.indexOf('/')
  const address = slash < 0 ? text : text.slice(0, slash)
  const kind = isIP(address)
  if (kind === 0 || address.includes('%')) return null
  const width = kind === 4 ? 32 : 128
  const suffix = slash < 0 ? String(width) : text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(suffix) || Number(suffix) > width) return null
  return { address, bits: Number(suffix), family: kind === 4 ? 'ipv4' : 'ipv6' }
}
