import type { ServerConfig } from '../../../../src/control/config/config-schema.js'
import { initialTopology, observe, reconfigure } from '../../../../src/control/topology/topology.js'
import type {
  Observation,
  TopologyEffect,
  TopologyEvent,
  TopologyRules,
  TopologyState,
} from '../../../../src/control/topology/topology-types.js'
import { NO_SERVER_TLS, type ReplicationHostgroup } from '../../../../src/shared/snapshot.js'

export const WRITER = 0
export const READER = 1
export const MAX_FAILURES = 3

export function row(id: string, hostgroup: number, extra: Partial<ServerConfig> = {}): ServerConfig {
  return {
    id,
    host: id,
    port: 3306,
    hostgroup,
    weight: 1,
    maxConnections: 100,
    maxReplicationLag: 0,
    status: 'ONLINE',
    tls: NO_SERVER_TLS,
    tlsFiles: { ca: null, cert: null, key: null },
    proxyProtocol: 'off',
    compression: 'off',
    comment: '',
    ...extra,
  }
}

/** A topology with a clock that the test moves. */
export class World {
  state: TopologyState
  nowMs = 1000
  effects: TopologyEffect[] = []
  private readonly events: TopologyEvent[] = []

  constructor(
    servers: readonly ServerConfig[],
    replicationHostgroups: readonly ReplicationHostgroup[] = [{ writer: WRITER, reader: READER }],
    more: Partial<TopologyRules> = {},
  ) {
    this.state = initialTopology({ ...rules(servers, replicationHostgroups), ...more })
  }

  see(observation: Observation): this {
    const now = this.now()
    return this.take(observe(this.state, [{ observation, atMs: now.monotonicMs }], now))
  }

  reload(servers: readonly ServerConfig[]): this {
    const next = rules(servers, this.state.rules.replicationHostgroups)
    return this.take(reconfigure(this.state, next, this.now()))
  }

  /** A primary as the monitor sees it. */
  writable(server: string, replicating = false): this {
    const lag = replicating ? { lagMs: 0, lagReason: '' } : { lagMs: null, lagReason: 'replication is not configured' }
    return this.see({ kind: 'answered', server, readOnly: false, replicating, ...lag })
  }

  replica(server: string, lagMs: number | null = 0, lagReason = ''): this {
    return this.see({ kind: 'answered', server, readOnly: true, replicating: true, lagMs, lagReason })
  }

  fails(server: string, times = MAX_FAILURES): this {
    for (let i = 0; i < times; i++) this.see({ kind: 'failed', server, reason: 'connection refused' })
    return this
  }

  later(ms: number): this {
    this.nowMs += ms
    return this
  }

  /** `hostgroup:server` of every row, with its status unless ONLINE. */
  rows(): string[] {
    return this.state.entries.map(({ hostgroup, id, status }) =>
      status === 'ONLINE' ? `${hostgroup}:${id}` : `${hostgroup}:${id} ${status}`,
    )
  }

  reason(server: string): string | undefined {
    return this.state.entries.find(({ id }) => id === server)?.statusReason
  }

  log(): string[] {
    return this.events.map(({ server, what, why }) => `${server === '' ? '' : `${server}: `}${what} (${why})`)
  }

  private now() {
    return { monotonicMs: this.nowMs, dateMs: 1_700_000_000_000 + this.nowMs }
  }

  private take(step: { state: TopologyState; effects: readonly TopologyEffect[] }): this {
    this.state = step.state
    this.effects = [...step.effects]
    for (const effect of step.effects) if (effect.kind === 'log') this.events.push(effect.event)
    this.nowMs++
    return this
  }
}

function rules(servers: readonly ServerConfig[], pairs: readonly ReplicationHostgroup[]): TopologyRules {
  return { servers, replicationHostgroups: pairs, maxFailures: MAX_FAILURES }
}
