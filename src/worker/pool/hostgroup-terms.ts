import type { HostgroupAttributes, Limits, ServerId, Snapshot } from '../../shared/snapshot.js'

/** On which terms connections to the servers of a hostgroup are had: its own attributes, or what holds for all. */
export class HostgroupTerms {
  readonly #limits: Limits
  readonly #own: ReadonlyMap<number, HostgroupAttributes>
  readonly #freePct = new Map<ServerId, number>()
  readonly #initConnect: readonly string[]
  /** Some hostgroup is kept warm. */
  readonly warmsAny: boolean
  /** Connections may begin with another sql_mode than the servers' own; nothing of it changes how texts are read. */
  readonly setsSqlMode: boolean

  constructor({ limits, hostgroupAttributes = [], initConnect = [], servers }: Snapshot) {
    this.#limits = limits
    this.#initConnect = initConnect
    const statements = [...initConnect, ...hostgroupAttributes.flatMap((own) => own.initConnect ?? [])]
    this.setsSqlMode = statements.some((sql) => /\bsql_mode\b/i.test(sql))
    this.#own = new Map(hostgroupAttributes.map((one) => [one.hostgroup, one]))
    this.warmsAny = servers.some(({ hostgroup }) => this.isWarmed(hostgroup))
    for (const { id, hostgroup } of servers) {
      const pct = this.#own.get(hostgroup)?.freeConnectionsPct ?? limits.freeConnectionsPct
      this.#freePct.set(id, Math.max(pct, this.#freePct.get(id) ?? 0))
    }
  }

  /** Idle connections that are kept to a server, in percent. One in several hostgroups has the highest of theirs. */
  freeConnectionsPct(server: ServerId): number {
    return this.#freePct.get(server) ?? this.#limits.freeConnectionsPct
  }

  /** Whether idle connections to the servers of a hostgroup are opened ahead. */
  isWarmed(hostgroup: number): boolean {
    return this.#own.get(hostgroup)?.connectionWarming ?? this.#limits.connectionWarming
  }

  /** Connections per second that may be opened to the servers of a hostgroup over all workers. At least 1. */
  openingsPerSecond(hostgroup: number): number {
    return this.#own.get(hostgroup)?.throttleConnectionsPerSec ?? this.#limits.throttleConnectionsPerSecToHostgroup
  }

  /** The statements with which connections to the servers of a hostgroup begin. */
  initConnect(hostgroup: number): readonly string[] {
    return this.#own.get(hostgroup)?.initConnect ?? this.#initConnect
  }
}
