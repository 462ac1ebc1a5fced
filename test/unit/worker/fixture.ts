import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import {
  DEFAULT_CONSISTENCY,
  DEFAULT_DIGESTS,
  DEFAULT_QUERY_CACHE,
  NO_SERVER_TLS,
  type ServerEntry,
  type Snapshot,
  type UserEntry,
} from '../../../src/shared/snapshot.js'
import { Backend, type BackendTarget } from '../../../src/worker/backend/backend.js'
import { ReadNeed } from '../../../src/worker/consistency/read-need.js'
import { KnownServer } from '../../../src/worker/routing/known-server.js'
import type { SessionFacts } from '../../../src/worker/session/session-facts.js'

export const USER: UserEntry = {
  name: 'app',
  password: 'app',
  defaultHostgroup: 0,
  defaultSchema: null,
  maxConnections: 0,
  useSsl: false,
  multiplex: true,
  passwordHash: null,
  backendUser: null,
  backendPassword: null,
}

/** A server called `name:3306`. */
export function serverEntry(name: string, hostgroup: number, more: Partial<ServerEntry> = {}): ServerEntry {
  return {
    id: `${name}:3306`,
    hostgroup,
    host: name,
    port: 3306,
    status: 'ONLINE',
    statusReason: '',
    weight: 1,
    maxConnections: 100,
    maxReplicationLag: 0,
    tls: NO_SERVER_TLS,
    proxyProtocol: 'off',
    compression: 'off',
    comment: '',
    ...more,
  }
}

/** One writer hostgroup (0) with its reader hostgroup (1), unless `more` says otherwise. */
export function snapshotOf(servers: readonly ServerEntry[], more: Partial<Snapshot> = {}): Snapshot {
  return {
    version: 1,
    listen: [],
    servers,
    facts: [],
    replicationHostgroups: [{ writer: 0, reader: 1 }],
    users: [USER],
    passThrough: null,
    nativeHashes: {},
    greeting: { flavor: 'mysql', serverVersion: '9.7.0', collation: 255, capabilities: 0, mariadbCapabilities: 0 },
    readOnlyFunctions: [],
    consistency: DEFAULT_CONSISTENCY,
    digests: DEFAULT_DIGESTS,
    queryCache: DEFAULT_QUERY_CACHE,
    limits: {
      maxConnections: 10,
      maxConnectionsPerAddress: 0,
      maxFailedLogins: 0,
      connectTimeoutServerMaxMs: 1000,
      connectTimeoutServerMs: 100,
      handshakeTimeoutMs: 1000,
      waitTimeoutMs: 0,
      netWriteTimeoutMs: 60_000,
      maxTransactionTimeMs: 0,
      maxTransactionIdleTimeMs: 0,
      defaultQueryTimeoutMs: 0,
      longPinTimeMs: 60_000,
      maxAllowedPacket: 1 << 20,
      maxBufferedCommand: 1 << 16,
      maxStmtsCache: 100,
      maxStmtsPerConnection: 10,
      freeConnectionsPct: 10,
      connectionWarming: false,
      throttleConnectionsPerSecToHostgroup: 1_000_000,
      connectionMaxAgeMs: 0,
      pingIntervalServerMs: 0,
      pipelineDepth: 1,
      pipelineFrom: 0,
      pipelineQueryTimeMs: 2,
      diagnosticsHoldMs: 1000,
      longQueryMs: 1000,
      shutdownTimeoutMs: 1000,
      workerHangMs: 0,
    },
    tls: null,
    proxyProtocolNetworks: [],
    localInfile: true,
    multiplexing: true,
    exclusiveHostgroups: [],
    compressionAlgorithms: ['zlib', 'zstd', 'uncompressed'],
    workers: 1,
    ...more,
  }
}

/** What a read of the session needs that names nothing itself. */
export function needOf(facts: SessionFacts, more: Partial<ReadNeed> = {}): ReadNeed {
  return Object.assign(new ReadNeed(), { session: facts.consistency, ...more })
}

/** As much of a socket as a backend uses; what is written to it is kept. */
export class FakeSocket extends EventEmitter {
  readonly written: Buffer[] = []
  readonly writableHighWaterMark = 16_384
  writableLength = 0
  writableNeedDrain = false
  destroyed = false
  ended = false
  paused = false

  write(bytes: Buffer): boolean {
    this.written.push(bytes)
    return true
  }

  cork(): void {}

  uncork(): void {}

  end(bytes: Buffer): void {
    this.written.push(bytes)
    this.ended = true
  }

  destroy(): void {
    this.destroyed = true
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }
}

export interface FakeBackend {
  readonly backend: Backend
  readonly socket: FakeSocket
}

/** A logged-in, idle connection to `name:3306` over a socket that leads nowhere. */
export function fakeBackend(
  name = 'primary',
  {
    hostgroup = 0,
    capabilities = 0,
    mariadbCapabilities = 0,
    threadId = 7,
  }: { hostgroup?: number; capabilities?: number; mariadbCapabilities?: number; threadId?: number } = {},
): FakeBackend {
  const socket = new FakeSocket()
  const target: BackendTarget = {
    id: `${name}:3306`,
    hostgroup,
    host: name,
    port: 3306,
    tls: NO_SERVER_TLS,
    proxyProtocol: 'off',
    compression: 'off',
    flavor: 'mysql',
    initConnect: [],
    known: new KnownServer(`${name}:3306`),
  }
  const backend = new Backend(socket as unknown as Socket, target, { capabilities, mariadbCapabilities, threadId })
  return { backend, socket }
}

/** Numbers from 0 up to 1 that depend on the seed alone (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
