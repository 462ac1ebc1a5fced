import { Buffer } from 'node:buffer'
import { Answer, Frame, Framer, frame, ResponseEvent, ResponseFollower } from '../../protocol/index.js'
import type { Exchange } from './capture.js'

export const ANSWER: Record<Exclude<Exchange['answer'], 'login' | 'none'>, number> = {
  results: Answer.results,
  prepare: Answer.prepare,
  rows: Answer.rows,
  single: Answer.single,
  fieldList: Answer.fieldList,
  cursor: Answer.cursor,
}

/** Cuts bytes into pieces of one size. */
export function pieces(bytes: Buffer, size: number): Buffer[] {
  const list: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) list.push(Buffer.from(bytes.subarray(at, at + size)))
  return list
}

/** The payloads that a Framer finds, with their sequence numbers. */
export function framed(chunks: Buffer[]): { payload: Buffer; sequence: number }[] {
  const framer = new Framer()
  const packets: { payload: Buffer; sequence: number }[] = []
  for (const chunk of chunks) {
    framer.push(chunk)
    for (let found = framer.next(); found !== Frame.more; found = framer.next()) {
      if (found !== Frame.packet) throw new Error(`frame ${found}`)
      const payload = Buffer.from(framer.buffer.subarray(framer.start, framer.end))
      packets.push({ payload, sequence: framer.sequence })
    }
  }
  return packets
}

/** Lets a follower see an answer and puts together again what it tells to pass on, up to the answer's end. */
export function follow(
  answer: number,
  chunks: Buffer[],
  capabilities: number,
  mariadbCapabilities: number,
): { follower: ResponseFollower; output: Buffer; events: number[] } {
  const follower = new ResponseFollower()
  const output: Buffer[] = []
  const events: number[] = []
  follower.begin(answer, capabilities, mariadbCapabilities)
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const event = follower.consume(chunk, at, chunk.length)
      if (follower.carry !== null) output.push(Buffer.from(follower.carry))
      output.push(Buffer.from(chunk.subarray(at, follower.plainEnd)))
      at = follower.next
      if (event === ResponseEvent.more) break
      if (event === ResponseEvent.end) return { follower, output: Buffer.concat(output), events }
      events.push(event)
      output.push(frame(follower.edge.subarray(follower.edgeStart, follower.edgeEnd), follower.edgeSequence))
      if (event === ResponseEvent.localInfile) follower.infileSent()
    }
  }
  return { follower, output: Buffer.concat(output), events }
}
