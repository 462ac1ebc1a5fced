/**
 * What finding the end of a server's answer costs. Run it after a build: `node dist/bench/micro/response.js`.
 */
import {
  Answer,
  Capability,
  encodeOk,
  encodeTextResultSet,
  FieldType,
  frame,
  ResponseEvent,
  ResponseFollower,
} from '../../protocol/index.js'
import { runMicro } from './harness.js'

const CAPABILITIES = Capability.PROTOCOL_41 | Capability.DEPRECATE_EOF
const ROWS = 5_000
const CHUNK_BYTES = 65_536

const ok = frame(
  encodeOk(
    { affectedRows: 1, lastInsertId: 0, statusFlags: 2, warnings: 0, info: Buffer.alloc(0), sessionState: [] },
    CAPABILITIES,
  ),
  1,
)
const text = { name: 'c', schema: 'bench', table: 'sbtest1', orgTable: 'sbtest1', orgName: 'c', type: FieldType.STRING }
const row = ['83868641912-28773972837-60736120486-75162659906-27563526494-20381887404-41576422241-93426793964-56405']
const pointSelect = encodeTextResultSet([text], [row], CAPABILITIES)
const manyRows = encodeTextResultSet([text], Array<string[]>(ROWS).fill(row), CAPABILITIES)
const follower = new ResponseFollower()

/** Follows one answer that comes in chunks of this size; returns the rows seen. */
function follow(answer: Buffer, chunkBytes: number): number {
  follower.begin(Answer.results, CAPABILITIES)
  for (let start = 0; start < answer.length; start += chunkBytes) {
    const end = Math.min(answer.length, start + chunkBytes)
    for (let at = start; ; at = follower.next) {
      const event = follower.consume(answer, at, end)
      if (event === ResponseEvent.more || event === ResponseEvent.end) break
    }
  }
  if (!follower.ended) throw new Error('the answer has no end')
  return follower.rows + 1
}

runMicro('response follower', [
  { name: 'OK', operations: 1, run: () => follow(ok, ok.length) },
  { name: 'point select in one chunk', operations: 1, run: () => follow(pointSelect, pointSelect.length) },
  { name: 'point select cut in two chunks', operations: 1, run: () => follow(pointSelect, pointSelect.length - 5) },
  {
    name: 'rows of 100 bytes in chunks of 64 KiB, per row',
    operations: ROWS,
    run: () => follow(manyRows, CHUNK_BYTES),
  },
])
