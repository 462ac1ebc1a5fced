/**
 * What cutting a client's bytes into commands costs. Run it after a build: `node dist/bench/micro/framer.js`.
 */
import { encodeQuery, Frame, Framer } from '../../protocol/index.js'
import { runMicro } from './harness.js'

const PIPELINED = 16
const LARGE_BYTES = 4 << 20
const CHUNK_BYTES = 65_536

const framer = new Framer()
const command = encodeQuery('SELECT c FROM sbtest1 WHERE id=50123', 0)
const pipelined = Buffer.concat(Array<Buffer>(PIPELINED).fill(command))
const [head, tail] = [command.subarray(0, 20), command.subarray(20)]
const large = chunksOf(encodeQuery(`INSERT INTO t VALUES ('${'x'.repeat(LARGE_BYTES)}')`, 0))

function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) chunks.push(bytes.subarray(at, at + CHUNK_BYTES))
  return chunks
}

/** Takes all that is there; returns the bytes that were shown. */
function take(chunk: Buffer): number {
  framer.push(chunk)
  let bytes = 0
  while (framer.next() !== Frame.more) bytes += framer.end - framer.start
  return bytes
}

runMicro('framer', [
  { name: 'one command in its chunk', operations: 1, run: () => take(command) },
  { name: `${PIPELINED} commands in a chunk, each`, operations: PIPELINED, run: () => take(pipelined) },
  { name: 'one command cut in two chunks', operations: 1, run: () => take(head) + take(tail) },
  {
    name: 'a command of 4 MiB in chunks of 64 KiB, per chunk',
    operations: large.length,
    run: () => large.reduce((sum, chunk) => sum + take(chunk), 0),
  },
])
