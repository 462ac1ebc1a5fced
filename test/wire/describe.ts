import type { Buffer } from 'node:buffer'
import {
  Capability,
  type ColumnDefinition,
  decodeBinaryRow,
  decodeColumnCount,
  decodeColumnDefinition,
  decodeEof,
  decodeErr,
  decodeOk,
  decodePrepareOk,
  decodeTextRow,
  FieldType,
  isEndOfRows,
  isErrPacket,
  isProgressReport,
  type OkPacket,
  ServerStatus,
  type SessionStateChange,
} from '../../protocol/index.js'
import type { Exchange } from './capture.js'

export interface Negotiated {
  capabilities: number
  mariadbCapabilities: number
}

const typeNames = new Map<number, string>(Object.entries(FieldType).map(([name, type]) => [type, name]))

/**
 * Says in one line what a packet of an answer holds, so that a capture's notes can be written by hand and compared.
 * GTIDs and statement ids, which differ between recordings, appear as <gtid> and <id> or not at all.
 */
export class Describer {
  readonly #negotiated: Negotiated
  readonly #classic: boolean
  #lines: string[] = []
  #queue: Buffer[] = []
  #binary = false
  /** What the last COM_STMT_PREPARE said, for results without metadata. */
  #prepared: ColumnDefinition[] = []

  constructor(negotiated: Negotiated) {
    this.#negotiated = negotiated
    this.#classic = (negotiated.capabilities & Capability.DEPRECATE_EOF) === 0
  }

  /** The lines of the server's packets of one answer. */
  answer(answer: Exchange['answer'], payloads: Buffer[], binary: boolean): string[] {
    this.#lines = []
    this.#queue = [...payloads]
    this.#binary = binary
    if (answer === 'results' || answer === 'cursor') while (this.#result());
    else if (answer === 'prepare') this.#prepare()
    else if (answer === 'rows') this.#rows(this.#prepared, 'end')
    else if (answer === 'single') this.#lines.push(`text ${this.#next().toString('utf8').split(':')[0]}`)
    if (this.#queue.length > 0) this.#lines.push(`${this.#queue.length} packets left over`)
    return this.#lines
  }

  #next(): Buffer {
    const payload = this.#queue.shift()
    if (payload === undefined) throw new Error('the answer ends too early')
    if (!isProgressReport(payload)) return payload
    // 0xff, 0xffff, number of strings, stage, stages, thousandths of a percent (3), a text.
    this.#lines.push(`progress ${payload[4]}/${payload[5]} ${payload.toString('utf8', 10)}`)
    return this.#next()
  }

  /** Returns whether another result follows. */
  #result(): boolean {
    const { capabilities, mariadbCapabilities } = this.#negotiated
    const payload = this.#next()
    if (isErrPacket(payload)) return this.#err(payload)
    if (payload[0] === 0x00) {
      const ok = decodeOk(payload, capabilities)
      this.#lines.push(describeOk('ok', ok))
      return hasMore(ok)
    }
    if (payload[0] === 0xfb) {
      this.#lines.push(`file ${payload.toString('utf8', 1)}`)
      return true
    }
    const { count, metadataFollows } = decodeColumnCount(payload, capabilities, mariadbCapabilities)
    this.#lines.push(`columns ${count}${metadataFollows ? '' : ' without metadata'}`)
    const columns = metadataFollows ? this.#definitions(count) : this.#prepared
    if (!this.#classic) return this.#rows(columns, 'cursor', count)
    const eof = decodeEof(this.#next())
    const cursor = (eof.statusFlags & ServerStatus.CURSOR_EXISTS) !== 0
    this.#lines.push(describeEof(cursor ? 'cursor' : 'eof', eof))
    return cursor ? false : this.#rows(columns, 'end', count)
  }

  #prepare(): void {
    const payload = this.#next()
    if (isErrPacket(payload)) {
      this.#err(payload)
      return
    }
    const ok = decodePrepareOk(payload, this.#negotiated.capabilities)
    this.#lines.push(`prepared parameters=${ok.parameterCount} columns=${ok.columnCount} warnings=${ok.warnings}`)
    for (const count of [ok.parameterCount, ok.columnCount]) {
      this.#prepared = this.#definitions(count)
      if (this.#classic && count > 0) this.#lines.push(describeEof('eof', decodeEof(this.#next())))
    }
  }

  #definitions(count: number): ColumnDefinition[] {
    const columns: ColumnDefinition[] = []
    for (let i = 0; i < count; i++) {
      const column = decodeColumnDefinition(this.#next(), this.#negotiated.mariadbCapabilities)
      columns.push(column)
      this.#lines.push(`column ${column.name} ${typeNames.get(column.type)}`)
    }
    return columns
  }

  /** Returns whether another result follows. */
  #rows(columns: ColumnDefinition[], wordForCursor: string, count = columns.length): boolean {
    const { capabilities } = this.#negotiated
    for (;;) {
      const payload = this.#next()
      if (isErrPacket(payload)) return this.#err(payload)
      if (isEndOfRows(payload, capabilities)) {
        const ok = this.#classic ? undefined : decodeOk(payload, capabilities)
        const end = ok ?? decodeEof(payload)
        const word = (end.statusFlags & ServerStatus.CURSOR_EXISTS) !== 0 ? wordForCursor : 'end'
        this.#lines.push(ok === undefined ? describeEof(word, end) : describeOk(word, ok))
        return hasMore(end)
      }
      this.#lines.push(`row ${this.#binary ? describeBinary(payload, columns) : describeText(payload, count)}`)
    }
  }

  #err(payload: Buffer): false {
    const { errno, sqlState, message } = decodeErr(payload)
    this.#lines.push(`err ${errno} ${sqlState} ${message.replace(/\(\d+\)/, '(<id>)')}`)
    return false
  }
}

function hasMore({ statusFlags }: { statusFlags: number }): boolean {
  return (statusFlags & ServerStatus.MORE_RESULTS_EXISTS) !== 0
}

function describeEof(word: string, { statusFlags, warnings }: { statusFlags: number; warnings: number }): string {
  return `${word} ${flagNames(statusFlags)}${warnings > 0 ? ` warnings=${warnings}` : ''}`
}

function describeOk(word: string, ok: OkPacket): string {
  let line = describeEof(word, ok)
  if (ok.affectedRows > 0) line += ` affected=${ok.affectedRows}`
  if (ok.lastInsertId > 0) line += ` id=${ok.lastInsertId}`
  if (ok.info.length > 0) line += ` info=<${ok.info.toString()}>`
  if (ok.sessionState.length > 0) line += ` {${ok.sessionState.map(describeChange).join('; ')}}`
  return line
}

function describeChange(change: SessionStateChange): string {
  switch (change.type) {
    case 'system_variable':
      return `${change.name}=${change.value}`
    case 'schema':
      return `schema ${change.name}`
    case 'state_change':
      return `changed ${change.changed}`
    case 'gtids':
      return /^[0-9a-f-]{36}:\d+$/.test(change.gtids) ? 'gtids <gtid>' : `gtids ${change.gtids}`
    case 'transaction_characteristics':
      return `characteristics <${change.statement}>`
    case 'transaction_state':
      return `state <${change.state}>`
    case 'unknown':
      return `unknown ${change.id} ${change.data.toString('hex')}`
  }
}

/** Whether session state follows is told by the state itself, so that its flag has no name here. */
function flagNames(flags: number): string {
  const names = Object.entries(ServerStatus).filter(
    ([name, flag]) => (flags & flag) !== 0 && name !== 'SESSION_STATE_CHANGED',
  )
  return names.map(([name]) => name).join('+') || 'no flags'
}

function describeText(payload: Buffer, count: number): string {
  const cells = decodeTextRow(payload, count)
  return cells.map((cell) => (cell === null ? 'NULL' : cell.toString('utf8'))).join(' | ')
}

function describeBinary(payload: Buffer, columns: ColumnDefinition[]): string {
  const isPrintable = (bytes: Buffer) => bytes.every((byte) => byte >= 0x20)
  return decodeBinaryRow(payload, columns)
    .map((value) => {
      if (value === null) return 'NULL'
      if (typeof value !== 'object') return String(value)
      return `'${isPrintable(value) ? value.toString('utf8') : value.toString('hex')}'`
    })
    .join(' | ')
}
