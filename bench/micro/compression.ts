/**
 * What the compressed protocol costs and saves, on one side of the proxy. Run it after a build:
 * `node dist/bench/micro/compression.js`.
 */
import {
  Capability,
  CompressedFrameReader,
  CompressedFrameWriter,
  encodeQuery,
  encodeTextResultSet,
  FieldType,
} from '../../protocol/index.js'
import { type Compression, compressionFor } from '../../src/worker/backend/compressors.js'
import { Random } from '../stats/random.js'
import { runMicro } from './harness.js'

const CAPABILITIES = Capability.PROTOCOL_41 | Capability.DEPRECATE_EOF
const MIB = 1 << 20
const query = encodeQuery('SELECT id, customer, note FROM orders WHERE id = 4711', CAPABILITIES)
const WORDS = ['delivery', 'invoice', 'customer', 'returned', 'open', 'paid', 'in part', 'late', 'Berlin', 'Lisbon']

/** A result of rows with an id, a name and a sentence: of what applications read, neither the easiest nor the hardest. */
function answer(rows: number): Buffer {
  const random = new Random(1)
  const below = (limit: number): number => random.below(limit)
  const columns = ['id', 'customer', 'note'].map((name) => ({
    ...{ name, orgName: name, schema: 'shop', table: 'orders', orgTable: 'orders' },
    type: FieldType.VAR_STRING,
  }))
  const row = (id: number): string[] => [
    String(id),
    `customer ${below(100_000)}`,
    Array.from({ length: 8 }, () => WORDS[below(WORDS.length)]).join(' '),
  ]
  return encodeTextResultSet(
    columns,
    Array.from({ length: rows }, (_, id) => row(id)),
    CAPABILITIES,
  )
}

function encode({ compressor, level }: Compression, bytes: Buffer): Buffer {
  return new CompressedFrameWriter(compressor, level).encode(bytes)
}

function decode({ compressor }: Compression, frames: Buffer): number {
  const reader = new CompressedFrameReader(compressor)
  reader.push(frames)
  let length = 0
  for (let bytes = reader.next(); bytes !== null; bytes = reader.next()) length += bytes.length
  return length
}

const pointSelect = answer(1)
const large = answer(12_000)

for (const algorithm of ['zlib', 'zstd'] as const) {
  const compression = await compressionFor(algorithm)
  const shorter = (bytes: Buffer): string =>
    `${bytes.length} bytes to ${(encode(compression, bytes).length / bytes.length).toFixed(2)}`
  const frames = {
    query: encode(compression, query),
    point: encode(compression, pointSelect),
    large: encode(compression, large),
  }
  const perMib = large.length / MIB
  runMicro(algorithm, [
    { name: `read a query, ${shorter(query)}`, operations: 1, run: () => decode(compression, frames.query) },
    {
      name: `write a point select's answer, ${shorter(pointSelect)}`,
      operations: 1,
      run: () => encode(compression, pointSelect).length,
    },
    { name: "read a point select's answer", operations: 1, run: () => decode(compression, frames.point) },
    {
      name: `write 1 MiB of rows, ${shorter(large)}`,
      operations: perMib,
      run: () => encode(compression, large).length,
    },
    { name: 'read 1 MiB of rows', operations: perMib, run: () => decode(compression, frames.large) },
  ])
}
