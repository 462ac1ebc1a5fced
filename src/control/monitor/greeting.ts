import { Capability, type Greeting } from '../../../protocol/index.js'
import type { GreetingFacts } from '../../shared/snapshot.js'
import { dialectOf } from './monitor-queries.js'

/** What a MySQL 8.0 server offers: everything but the extension bit, which no server used until now. */
const MYSQL_8_CAPABILITIES = (0xffff_ffff & ~Capability.CAPABILITY_EXTENSION) >>> 0
/** utf8mb4_0900_ai_ci, the default of MySQL 8.0 and later. */
const MYSQL_8_COLLATION = 255

/** What Sluice says of itself as long as it has seen no server; ProxySQL's default version. */
export const DEFAULT_GREETING: GreetingFacts = {
  flavor: 'mysql',
  serverVersion: '8.0.11',
  collation: MYSQL_8_COLLATION,
  capabilities: MYSQL_8_CAPABILITIES,
  mariadbCapabilities: 0,
}

/**
 * One greeting for many servers: what all of them can do, under the lowest of their versions, so that no client counts
 * on what one of them lacks. `greetings` are in the order of the configuration; the first decides flavor and collation.
 */
export function commonGreeting(greetings: readonly Greeting[]): GreetingFacts {
  const first = greetings.at(0)
  if (first === undefined) return DEFAULT_GREETING
  const { flavor } = dialectOf(first.serverVersion)
  let lowest = first
  let capabilities = first.capabilities
  let mariadbCapabilities = first.mariadbCapabilities
  for (const greeting of greetings) {
    const dialect = dialectOf(greeting.serverVersion)
    capabilities = (capabilities & greeting.capabilities) >>> 0
    mariadbCapabilities = (mariadbCapabilities & greeting.mariadbCapabilities) >>> 0
    if (dialect.flavor === flavor && isLower(dialect.version, dialectOf(lowest.serverVersion).version))
      lowest = greeting
  }
  return { flavor, serverVersion: lowest.serverVersion, collation: first.collation, capabilities, mariadbCapabilities }
}

function isLower(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((part, index) => part !== b[index])
  return at >= 0 && a[at] < b[at]
}
