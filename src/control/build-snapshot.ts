import type { GreetingFacts, ServerEntry, ServerFacts, Snapshot, TlsMaterial } from '../shared/snapshot.js'
import type { Config } from './config/config-schema.js'

/** What the monitor learned that travels in snapshots; it changes seldom. */
export interface Learned {
  readonly facts: readonly ServerFacts[]
  readonly greeting: GreetingFacts
  readonly readOnlyFunctions: readonly string[]
  /** See `Snapshot.nativeHashes`. */
  readonly nativeHashes: Readonly<Record<string, readonly string[]>>
}

/** Puts together what workers are told. `entries` are the topology's rows; `version` counts up from 1. */
export function buildSnapshot(
  config: Config,
  entries: readonly ServerEntry[],
  learned: Learned,
  tls: TlsMaterial | null,
  version: number,
  rulesVersion: number,
): Snapshot {
  return {
    version,
    listen: config.listen,
    servers: entries,
    facts: learned.facts,
    replicationHostgroups: config.replicationHostgroups,
    users: config.users,
    passThrough: config.passThrough,
    nativeHashes: learned.nativeHashes,
    greeting: { ...learned.greeting, serverVersion: config.serverVersion ?? learned.greeting.serverVersion },
    readOnlyFunctions: learned.readOnlyFunctions,
    limits: config.limits,
    multiplexing: config.multiplexing,
    hostgroupAttributes: config.hostgroupAttributes,
    initConnect: config.initConnect,
    exclusiveHostgroups: config.exclusiveHostgroups,
    consistency: config.consistency,
    digests: config.digests,
    rulesVersion,
    queryCache: config.queryCache,
    tls,
    proxyProtocolNetworks: config.proxyProtocolNetworks,
    localInfile: config.localInfile,
    compressionAlgorithms: config.compressionAlgorithms,
    workers: config.workers,
  }
}
