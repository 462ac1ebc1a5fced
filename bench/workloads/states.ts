import { queryPacket } from '../load/packets.js'
import type { Random } from '../stats/random.js'
import { oneOf } from './scripts.js'
import { pointSelect, pointSelects } from './sysbench-like.js'
import type { Workload } from './workload.js'

/** Point selects of sessions that have set something: what it costs to take that along from connection to connection. */

const set = (zoneMinutes: number, precision: number, tenant: number): readonly Buffer[] => {
  const zone = `+${String(Math.floor(zoneMinutes / 60)).padStart(2, '0')}:${String(zoneMinutes % 60).padStart(2, '0')}`
  const values = `time_zone = '${zone}', div_precision_increment = ${precision}, sql_mode = 'STRICT_TRANS_TABLES'`
  return [queryPacket(`SET ${values}`), queryPacket(`SET @tenant = ${tenant}`)]
}

export const alikeStates: Workload = {
  ...pointSelect,
  name: 'alike-states',
  summary: 'point selects of sessions that have all set the same: three variables and a user variable',
  groups: ({ rows }) => group(rows, () => set(60, 5, 1)),
}

export const differentStates: Workload = {
  ...pointSelect,
  name: 'different-states',
  summary: 'point selects of sessions that have each set other values',
  groups: ({ rows }) => group(rows, (random) => set(random.below(600), random.below(31), random.below(1_000_000))),
}

function group(rows: number, setUp: (random: Random) => readonly Buffer[]) {
  const packets = pointSelects(rows)
  return [
    {
      name: 'readers',
      share: 1,
      script: (random: Random) => ({ setUp: setUp(random), ...oneOf(packets, random) }),
    },
  ]
}
