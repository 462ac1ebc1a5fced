import { queryPacket } from '../load/packets.js'
import type { Random } from '../stats/random.js'
import { packetsFor } from './scripts.js'
import type { DataShape, Script, Workload } from './workload.js'

/** Sessions that each write now and then and mostly read: what read-your-writes means for is them. */

const WRITES_PERCENT = 5
const KEYS = 16

export const fewWrites: Workload = {
  name: 'few-writes',
  summary: 'point selects, and updates by primary key in 5 % of the statements of each connection',
  tables: ['sbtest1'],
  defaultConnections: 64,
  operation: 'query',
  unit: 'query',
  connectsPerOperation: false,
  groups: (data) => clients([statementsOf(data, '')]),
}

export const fewWritesCausal: Workload = {
  ...fewWrites,
  name: 'few-writes-causal',
  summary: `the same under ${KEYS} causal keys, each shared by several connections`,
  groups: (data) =>
    clients(Array.from({ length: KEYS }, (_, key) => statementsOf(data, `/* sluice: causal=key-${key} */ `))),
}

interface Statements {
  readonly reads: readonly Buffer[]
  readonly writes: readonly Buffer[]
}

function statementsOf({ rows }: DataShape, hint: string): Statements {
  return {
    reads: packetsFor(rows, (id) => queryPacket(`${hint}SELECT c FROM sbtest1 WHERE id=${id}`)),
    writes: packetsFor(rows, (id) => queryPacket(`${hint}UPDATE sbtest1 SET k=k+1 WHERE id=${id}`)),
  }
}

/** Each connection has one of the sets. */
function clients(sets: readonly Statements[]) {
  return [{ name: 'clients', share: 1, script: (random: Random) => script(sets[random.below(sets.length)], random) }]
}

function script({ reads, writes }: Statements, random: Random): Script {
  return {
    first() {
      const packets = random.below(100) < WRITES_PERCENT ? writes : reads
      return packets[random.below(packets.length)]
    },
    following: () => null,
  }
}
