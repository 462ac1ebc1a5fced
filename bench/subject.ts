import { SCHEMA, type TableName } from './data/tables.js'
import { ownDriver } from './drivers/own.js'
import { sysbenchDriver } from './drivers/sysbench.js'
import type { Credentials } from './load/connection.js'
import type { GeneratorProcesses } from './load/processes.js'
import type { Unit } from './measurement.js'
import type { Options } from './options.js'
import type { Driver } from './rounds.js'
import { workloadByName } from './workloads/index.js'

/** What a run measures, whoever makes the load. */
export interface Subject {
  readonly name: string
  readonly summary: string
  readonly tables: readonly TableName[]
  readonly connections: number
  readonly operation: string
  readonly unit: Unit
  driver(user: Credentials): Driver
}

const SYSBENCH_CONNECTIONS = 64

/** One of the bench's own workloads. */
export function ownSubject(name: string, options: Options, generators: GeneratorProcesses): Subject {
  const { summary, tables, defaultConnections, operation, unit } = workloadByName(name)
  const connections = options.connections ?? defaultConnections
  const { rate, rows, seed, toleratesErrors, warmupSeconds } = options
  return {
    name,
    summary,
    tables,
    connections,
    operation,
    unit,
    driver({ user, password }) {
      const settings = { connections, rate, rows, seed, toleratesErrors }
      const spec = { workload: name, user, password, database: SCHEMA, ...settings }
      return ownDriver({ generators, warmupSeconds, spec })
    },
  }
}

/** A sysbench script on the bench's own sbtest1, which has sysbench's columns. */
export function sysbenchSubject(script: string, options: Options): Subject {
  const { connections = SYSBENCH_CONNECTIONS, rate, rows, seed, warmupSeconds } = options
  return {
    name: `sysbench-${script}`,
    summary: `sysbench ${script}`,
    tables: ['sbtest1'],
    connections,
    operation: 'transaction',
    unit: 'query',
    driver: ({ user, password }) =>
      sysbenchDriver({ script, user, password, database: SCHEMA, connections, rate, rows, seed, warmupSeconds }),
  }
}
