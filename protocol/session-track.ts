import type { Buffer } from 'node:buffer'
import { SessionTrackType } from './constants.js'
import { ProtocolError } from './errors.js'
import { PacketReader } from './reader.js'
import { PayloadWriter } from './writer.js'

/** One entry of the session state part of an OK packet (MySQL source documentation, "OK_Packet"). */
export type SessionStateChange =
  | { readonly type: 'system_variable'; readonly name: string; readonly value: string }
  | { readonly type: 'schema'; readonly name: string }
  | { readonly type: 'state_change'; readonly changed: boolean }
  | { readonly type: 'gtids'; readonly gtids: string }
  | { readonly type: 'transaction_characteristics'; readonly statement: string }
  | { readonly type: 'transaction_state'; readonly state: string }
  | { readonly type: 'unknown'; readonly id: number; readonly data: Buffer }

/** Decodes the content of the session state block. `data` of unknown entries is a view. */
export function decodeSessionState(block: Buffer): SessionStateChange[] {
  const changes: SessionStateChange[] = []
  const reader = new PacketReader(block)
  const entry = new PacketReader()
  while (reader.remaining > 0) {
    const id = reader.u8()
    reader.lenencRange()
    entry.reset(block, reader.rangeStart, reader.rangeEnd)
    decodeEntry(id, entry, changes)
    if (entry.remaining > 0) throw new ProtocolError('malformed', 'a session state entry has bytes left over')
  }
  return changes
}

function decodeEntry(id: number, entry: PacketReader, changes: SessionStateChange[]): void {
  switch (id) {
    case SessionTrackType.SYSTEM_VARIABLES:
      // MySQL writes one pair per entry, MariaDB may write several.
      do changes.push({ type: 'system_variable', name: entry.lenencString(), value: entry.lenencString() })
      while (entry.remaining > 0)
      return
    case SessionTrackType.SCHEMA:
      changes.push({ type: 'schema', name: entry.lenencString() })
      return
    case SessionTrackType.STATE_CHANGE:
      // Unlike the others, this entry's text has no length of its own (Session_state_change_tracker::store).
      changes.push({ type: 'state_change', changed: entry.rest().toString('latin1') === '1' })
      return
    case SessionTrackType.GTIDS:
      entry.skip(1) // encoding specification: 0 is the only one there is
      changes.push({ type: 'gtids', gtids: entry.lenencString() })
      return
    case SessionTrackType.TRANSACTION_CHARACTERISTICS:
      changes.push({ type: 'transaction_characteristics', statement: entry.lenencString() })
      return
    case SessionTrackType.TRANSACTION_STATE:
      changes.push({ type: 'transaction_state', state: entry.lenencString() })
      return
    default:
      changes.push({ type: 'unknown', id, data: entry.rest() })
  }
}

/** Encodes the content of the session state block; variables get one entry each. */
export function encodeSessionState(changes: readonly SessionStateChange[]): Buffer {
  const writer = new PayloadWriter()
  for (const change of changes) {
    const [id, data] = encodeEntry(change)
    writer.u8(id).lenencBytes(data)
  }
  return writer.take()
}

function encodeEntry(change: SessionStateChange): [id: number, data: Buffer] {
  const writer = new PayloadWriter(64)
  switch (change.type) {
    case 'system_variable':
      writer.lenencString(change.name).lenencString(change.value)
      return [SessionTrackType.SYSTEM_VARIABLES, writer.take()]
    case 'schema':
      return [SessionTrackType.SCHEMA, writer.lenencString(change.name).take()]
    case 'state_change':
      return [SessionTrackType.STATE_CHANGE, writer.string(change.changed ? '1' : '0').take()]
    case 'gtids':
      return [SessionTrackType.GTIDS, writer.u8(0).lenencString(change.gtids).take()]
    case 'transaction_characteristics':
      return [SessionTrackType.TRANSACTION_CHARACTERISTICS, writer.lenencString(change.statement).take()]
    case 'transaction_state':
      return [SessionTrackType.TRANSACTION_STATE, writer.lenencString(change.state).take()]
    case 'unknown':
      return [change.id, change.data]
  }
}
