import { SCHEMA } from '../data/tables.js'
import type { Address, Credentials } from '../load/connection.js'
import { queryPacket } from '../load/packets.js'
import { runQuery } from '../targets/serving.js'
import type { Target } from '../targets/target.js'
import { TransferClient } from './client.js'
import type { MemoryRow } from './report.js'
import { MemorySampler } from './sampler.js'

const MEBIBYTE = 1 << 20
/** Bytes of a row of sbtest1 on the wire, nearly. */
const SMALL_ROW_BYTES = 200
const LARGE_ROW_BYTES = MEBIBYTE
const INSERT_ROW_BYTES = MEBIBYTE
const SLOW_BYTES_PER_SECOND = 100 * MEBIBYTE
const BLOBS =
  'CREATE TABLE IF NOT EXISTS blobs (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, data LONGBLOB) ENGINE=InnoDB'

export interface StreamingOptions {
  readonly target: Target
  /** The server itself, to make and drop the table that is written to. */
  readonly server: Address
  readonly user: Credentials
  /** Size of the result sets, in MiB. */
  readonly mebibytes: number
  /** Size of the INSERT, in MiB. */
  readonly insertMebibytes: number
  readonly onRow: (row: MemoryRow) => void
}

interface Transfer {
  readonly name: string
  readonly packet: () => Buffer
  readonly bytesPerSecondMax?: number
  /** What the transfer counts, where that is not its answer. */
  readonly bytesSent?: number
}

/** Sends large things through a target and watches its memory. Needs the table sbtest1. */
export async function streamThrough(options: StreamingOptions): Promise<void> {
  const { target, server, user, mebibytes, insertMebibytes, onRow } = options
  const credentials = { ...user, database: SCHEMA }
  await runQuery(server, credentials, BLOBS)
  try {
    for (const transfer of transfers(mebibytes, insertMebibytes)) onRow(await measure(target, credentials, transfer))
  } finally {
    await runQuery(server, credentials, 'DROP TABLE blobs')
  }
}

function transfers(mebibytes: number, insertMebibytes: number): Transfer[] {
  const bytes = mebibytes * MEBIBYTE
  const smallRows = Math.ceil(bytes / SMALL_ROW_BYTES)
  const largeRows = Math.ceil(bytes / LARGE_ROW_BYTES)
  const small = queryPacket(`SELECT a.id, a.k, a.c, a.pad FROM sbtest1 a, sbtest1 b LIMIT ${smallRows}`)
  const large = queryPacket(`SELECT REPEAT('x', ${LARGE_ROW_BYTES - 4}) FROM sbtest1 a, sbtest1 b LIMIT ${largeRows}`)
  const size = mebibytes >= 1024 ? `${(mebibytes / 1024).toFixed(1)} GiB` : `${mebibytes} MiB`
  return [
    { name: `${size} in small rows, fast client`, packet: () => small },
    { name: `${size} in small rows, slow client`, packet: () => small, bytesPerSecondMax: SLOW_BYTES_PER_SECOND },
    { name: `${size} in rows of 1 MiB, fast client`, packet: () => large },
    { name: `${size} in rows of 1 MiB, slow client`, packet: () => large, bytesPerSecondMax: SLOW_BYTES_PER_SECOND },
    insertOf(insertMebibytes),
  ]
}

function insertOf(mebibytes: number): Transfer {
  const row = `('${'x'.repeat(INSERT_ROW_BYTES - 5)}')`
  const packet = () => queryPacket(`INSERT INTO blobs (data) VALUES ${Array<string>(mebibytes).fill(row).join(', ')}`)
  return { name: `INSERT of ${mebibytes} MiB`, packet, bytesSent: mebibytes * MEBIBYTE }
}

async function measure(target: Target, credentials: Credentials, transfer: Transfer): Promise<MemoryRow> {
  const { name, packet, bytesPerSecondMax, bytesSent } = transfer
  const client = await TransferClient.open(target, credentials)
  try {
    await client.run(queryPacket('SELECT 1'))
    const command = packet()
    const sampler = new MemorySampler(target)
    const startedAt = performance.now()
    const received = await client.run(command, bytesPerSecondMax)
    const seconds = (performance.now() - startedAt) / 1000
    const peakBytes = sampler.stop()
    const megabytes = (bytesSent ?? received) / 1_000_000
    return { what: name, target: target.name, baseBytes: sampler.baseBytes, peakBytes, seconds, megabytes }
  } finally {
    client.close()
  }
}
