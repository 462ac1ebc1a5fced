import { ProtocolError } from './errors.js'

/**
 * Follows the bytes of a server's answer to one command and tells where it ends, without decoding a row. What need not
 * be looked at is reported as a plain range of the caller's own chunk, to be passed on as it is.
 *
 * An answer is a sequence of packets. Only a few of them say something: the first one of each result, and the ones that
 * end metadata and rows ("edges"). An edge packet that the caller may have to change or to hold back (an error, session
 * state, a request for a local file, a prepared statement's id) is reported as an event; all else is plain.
 *
 *   first   --OK, ERR--------------------> next result or end
 *           --0xFB-----------------------> infile --(first again, when the client's data has been sent)
 *           --column count---------------> columns
 *   columns --n definitions, classic EOF-> rows    (with DEPRECATE_EOF: rows at once)
 *   rows    --EOF, OK, ERR---------------> next result or end
 *   prepare --OK of PREPARE--------------> parameters and columns --> end
 *
 * MySQL source documentation: "Text Resultset", "COM_STMT_PREPARE Response", "OK_Packet", "EOF_Packet".
 */

/** What kind of answer a command has. */
export const Answer = {
  /** OK, ERR, LOCAL INFILE or result sets: COM_QUERY, COM_STMT_EXECUTE, and every command that answers OK or ERR. */
  results: 0,
  /** COM_STMT_PREPARE. */
  prepare: 1,
  /** Column definitions without a count: COM_FIELD_LIST. */
  fieldList: 2,
  /** Rows without metadata: COM_STMT_FETCH; and the events of COM_BINLOG_DUMP, which have the same ends. */
  rows: 3,
  /** One packet of any content: COM_STATISTICS. */
  single: 4,
  /** As `results`, of a COM_STMT_EXECUTE that asks for a cursor: where one is opened, the answer ends with the metadata. */
  cursor: 5,
} as const

export const ResponseEvent = {
  /** All bytes given were taken; the answer goes on. */
  more: 0,
  /** The answer is complete; `next` is the first byte behind it. */
  end: 1,
  /** An OK packet that carries session state: `edge[edgeStart, edgeEnd)` is its payload. */
  sessionState: 2,
  /** An ERR packet. */
  error: 3,
  /** The server asks for a local file; its name is the payload from the second byte. */
  localInfile: 4,
  /** The OK of COM_STMT_PREPARE; the statement id is at `edgeStart + 1`. */
  prepared: 5,
  /** An EOF packet that says SESSION_STATE_CHANGED (MariaDB); the change itself comes with the next OK packet. */
  stateFlag: 6,
} as const

const State = {
  first: 0,
  columns: 1,
  columnsEof: 2,
  rows: 3,
  prepare: 4,
  definitions: 5,
  single: 6,
  infile: 7,
  end: 8,
} as const

const CLIENT_DEPRECATE_EOF = 0x0100_0000
const CLIENT_OPTIONAL_RESULTSET_METADATA = 0x0200_0000
const MARIADB_PROGRESS = 1
const MARIADB_CACHE_METADATA = 1 << 4
const MORE_RESULTS_EXISTS = 0x0008
const CURSOR_EXISTS = 0x0040
const PS_OUT_PARAMS = 0x1000
const SESSION_STATE_CHANGED = 0x4000
const HEADER = 4
const MAX_PAYLOAD = 0xffffff
/** A plain OK, and the OK of COM_STMT_PREPARE: header, id (4), columns (2), parameters (2), filler, warnings (2). */
const OK_SIZE_MIN = 7
const PREPARE_OK_SIZE_MIN = 12
/** Longest edge packet that is accepted; a server's OK with all its session state stays far below. */
const EDGE_LIMIT = 1 << 22
const ERROR_PROGRESS = 0xffff
const FNV_BASIS = 0x811c9dc5 | 0
const FNV_PRIME = 0x01000193
const EMPTY = Buffer.alloc(0)
const NO_GROUPS: number[] = []
/** Not an event: go on with the chunk. */
const NOT_YET = -1

export class ResponseFollower {
  // After consume(): what to do with the chunk. --------------------------------------------------------------------
  /** Bytes held back from earlier chunks that turned out to be plain: they go out before the plain range. */
  carry: Buffer | null = null
  /** `chunk[start, plainEnd)` is to be passed on unchanged. */
  plainEnd = 0
  /** Where to go on in the chunk. */
  next = 0
  /** Payload of the edge packet of an event, which is not part of the plain range. `edge` may be the chunk. */
  edge: Buffer = EMPTY
  edgeStart = 0
  edgeEnd = 0
  edgeSequence = 0

  // Facts of the answer so far. ------------------------------------------------------------------------------------
  /** Status flags of the last OK or EOF (SERVER_STATUS_*); `hasStatus` tells whether there was one. */
  statusFlags = 0
  hasStatus = false
  /** Sequence number of the last packet of which anything was passed on or reported: what is held back does not count. */
  sequence = 0
  warnings = 0
  /** errno of the ERR packet; 0 when there was none. */
  errno = 0
  affectedRows = 0
  lastInsertId = 0
  /** Rows seen, over all results. */
  rows = 0
  /** From the OK of COM_STMT_PREPARE. */
  statementId = 0
  parameterCount = 0
  columnCount = 0
  /** With CACHE_METADATA: a digest of the column definitions that were sent last; 0 when there were none. */
  metadataDigest = 0

  #state: number = State.end
  #deprecateEof = false
  #mayOpenCursor = false
  /**
   * The current result has the OUT parameters of a CALL: another one follows, though in MySQL without DEPRECATE_EOF only
   * the EOF before the row says so (`Protocol_binary::send_parameters` in sql/protocol_classic.cc).
   */
  #outParameters = false
  /** The column count is followed by a byte that tells whether definitions come. */
  #metadataFlag = false
  #optionalMetadata = false
  #cachesMetadata = false
  #reportsProgress = false
  /** The current packet is a definition whose digest is wanted. */
  #digesting = false
  #firstDefinition = false
  /** Packets of definitions still to come. */
  #definitions = 0
  /** Groups of definitions (parameters, columns) still to come after the OK of COM_STMT_PREPARE. */
  #groups: number[] = NO_GROUPS
  #inPrepare = false
  /** Payload bytes of the current packet still to skip. */
  #skip = 0
  /** The current packet was full, so that the next one continues it. */
  #continues = false
  /** Header, first byte, and for edges the rest of a packet that was cut by the end of a chunk. */
  #held: Buffer = EMPTY
  #heldLength = 0

  /**
   * Prepares for the answer of a command.
   * @param answer one of `Answer`
   * @param capabilities CLIENT_* flags negotiated with the server
   * @param mariadbCapabilities MariaDB's extended flags negotiated with the server (upper 32 bits as a number)
   */
  begin(answer: number, capabilities: number, mariadbCapabilities = 0): void {
    this.#state =
      answer === Answer.results || answer === Answer.cursor
        ? State.first
        : answer === Answer.prepare
          ? State.prepare
          : answer === Answer.single
            ? State.single
            : State.rows
    this.#mayOpenCursor = answer === Answer.cursor
    this.#deprecateEof = (capabilities & CLIENT_DEPRECATE_EOF) !== 0
    this.#optionalMetadata = (capabilities & CLIENT_OPTIONAL_RESULTSET_METADATA) !== 0
    this.#cachesMetadata = (mariadbCapabilities & MARIADB_CACHE_METADATA) !== 0
    this.#reportsProgress = (mariadbCapabilities & MARIADB_PROGRESS) !== 0
    this.#metadataFlag = this.#optionalMetadata || this.#cachesMetadata
    this.#outParameters = false
    this.carry = null
    this.statusFlags = 0
    this.hasStatus = false
    this.sequence = 0
    this.warnings = 0
    this.errno = 0
    this.affectedRows = 0
    this.lastInsertId = 0
    this.rows = 0
    this.statementId = 0
    this.parameterCount = 0
    this.columnCount = 0
    this.metadataDigest = 0
    this.#digesting = false
    this.#definitions = 0
    this.#skip = 0
    this.#continues = false
    this.#groups = NO_GROUPS
    this.#inPrepare = false
    this.#heldLength = 0
  }

  /** Whether the bytes passed on so far end with a whole packet, so that another packet may be put behind them. */
  get atBoundary(): boolean {
    return this.#skip === 0 && !this.#continues
  }

  /** Whether the answer has been seen to its last byte. */
  get ended(): boolean {
    return this.#state === State.end && this.#skip === 0 && !this.#continues
  }

  /** Goes on after the client's data for LOCAL INFILE has been sent: an OK or ERR follows. */
  infileSent(): void {
    this.#state = State.first
  }

  /**
   * Looks at `chunk[start, end)`.
   * @returns one of `ResponseEvent`; `carry`, `plainEnd`, `next` and, for events, the edge fields are set
   * @throws ProtocolError if these bytes can be no answer to the command
   */
  consume(chunk: Buffer, start: number, end: number): number {
    this.carry = null
    let position = start
    if (this.#heldLength > 0) {
      const event = this.#completeHeld(chunk, start, end)
      if (event !== NOT_YET) return event
      position = this.next
    }
    for (;;) {
      if (this.#skip > 0) {
        const available = end - position
        if (this.#digesting) this.#digest(chunk, position, position + Math.min(this.#skip, available))
        if (this.#skip > available) {
          this.#skip -= available
          return this.#stop(end, end, ResponseEvent.more)
        }
        position += this.#skip
        this.#skip = 0
      }
      if (this.#state === State.end && !this.#continues) return this.#stop(position, position, ResponseEvent.end)
      const available = end - position
      if (available < HEADER) {
        this.#hold(chunk, position, end)
        return this.#stop(position, end, ResponseEvent.more)
      }
      const length = chunk[position] | (chunk[position + 1] << 8) | (chunk[position + 2] << 16)
      if (length === 0) {
        this.sequence = chunk[position + 3]
        this.#emptyPacket()
        position += HEADER
        continue
      }
      if (available === HEADER) {
        this.#hold(chunk, position, end)
        return this.#stop(position, end, ResponseEvent.more)
      }
      if (!this.#isEdge(chunk[position + HEADER], length)) {
        this.sequence = chunk[position + 3]
        this.#skip = length
        this.#continues = length === MAX_PAYLOAD
        position += HEADER
        continue
      }
      if (available < HEADER + length) {
        this.#hold(chunk, position, end)
        return this.#stop(position, end, ResponseEvent.more)
      }
      this.sequence = chunk[position + 3]
      const next = position + HEADER + length
      const event = this.#takeEdge(chunk, position + HEADER, next)
      if (event !== ResponseEvent.more) {
        this.edge = chunk
        this.edgeStart = position + HEADER
        this.edgeEnd = next
        this.edgeSequence = chunk[position + 3]
        return this.#stop(position, next, event)
      }
      position = next
    }
  }

  #stop(plainEnd: number, next: number, event: number): number {
    this.plainEnd = plainEnd
    this.next = next
    return event
  }

  /** Whether a packet says something; if not, it is counted as the definition or row that it is. */
  #isEdge(first: number, length: number): boolean {
    if (this.#continues) return false
    this.#digesting = false
    switch (this.#state) {
      case State.rows:
        if (first === 0xff) return true
        if (first === 0xfe && (this.#deprecateEof ? length < MAX_PAYLOAD : length < 9)) return true
        this.rows++
        return false
      case State.definitions:
      case State.columns:
        if (this.#cachesMetadata) this.#beginDigest()
        if (--this.#definitions === 0) this.#definitionsDone()
        return false
      case State.single:
        this.#state = State.end
        return false
      case State.infile:
        // MariaDB reports progress while the client's file comes in; an ERR ends it before its end.
        if (first === 0xff) return true
        throw new ProtocolError('unexpected-packet', 'the server sent a packet in the middle of a local file')
      case State.first:
      case State.prepare:
      case State.columnsEof:
        return true
      default:
        throw new ProtocolError('unexpected-packet', 'the server sent a packet that belongs to no command')
    }
  }

  /** The definition that comes now is digested; with the first of a group a new digest begins. */
  #beginDigest(): void {
    this.#digesting = true
    if (this.#firstDefinition) this.metadataDigest = FNV_BASIS
    this.#firstDefinition = false
  }

  /** FNV-1a over the payloads of definitions, whatever pieces they come in. */
  #digest(bytes: Buffer, start: number, end: number): void {
    let digest = this.metadataDigest
    for (let at = start; at < end; at++) digest = Math.imul(digest ^ bytes[at], FNV_PRIME)
    this.metadataDigest = digest
  }

  /** A payload of length 0: the end of one of exactly n times 16 MiB - 1 bytes, or an empty single answer. */
  #emptyPacket(): void {
    if (this.#continues) this.#continues = false
    else if (this.#state === State.single) this.#state = State.end
    else throw new ProtocolError('unexpected-packet', 'the server sent an empty packet')
  }

  /** All definitions of a result (or of a prepared statement's next group) have been seen. */
  #definitionsDone(): void {
    if (this.#state === State.definitions) {
      // A prepared statement's groups: each is followed by an EOF for classic clients.
      if (!this.#deprecateEof) this.#state = State.columnsEof
      else this.#nextPreparedGroup()
      return
    }
    this.#state = this.#deprecateEof ? State.rows : State.columnsEof
  }

  #nextPreparedGroup(): void {
    const count = this.#groups.shift()
    if (count === undefined) {
      this.#state = State.end
      return
    }
    this.#firstDefinition = true
    this.#definitions = count
    this.#state = State.definitions
  }

  /** Reads a whole edge packet. `more`: it is plain; anything else is an event for the caller. */
  #takeEdge(bytes: Buffer, start: number, end: number): number {
    const first = bytes[start]
    if (first === 0xff) return this.#takeError(bytes, start, end)
    switch (this.#state) {
      case State.prepare:
        return this.#takePrepareOk(bytes, start, end)
      case State.columnsEof:
        return this.#takeColumnsEof(bytes, start, end)
      case State.rows:
        return this.#takeEnd(bytes, start, end)
      default:
    }
    if (first === 0x00 || (first === 0xfe && (this.#deprecateEof || end - start < 9)))
      return this.#takeEnd(bytes, start, end)
    if (first === 0xfb) {
      this.#state = State.infile
      return ResponseEvent.localInfile
    }
    return this.#takeColumnCount(bytes, start, end)
  }

  #takeError(bytes: Buffer, start: number, end: number): number {
    if (end - start < 3) throw new ProtocolError('truncated', 'the server sent an ERR packet without a number')
    const errno = bytes[start + 1] | (bytes[start + 2] << 8)
    // MariaDB's progress reports look like errors of this number; the real answer, or more of it, follows. Where none were
    // asked for it is an error: MySQL lets SIGNAL set this number.
    if (errno === ERROR_PROGRESS && this.#reportsProgress) return ResponseEvent.more
    this.errno = errno
    this.#state = State.end
    return ResponseEvent.error
  }

  #takeColumnCount(bytes: Buffer, start: number, end: number): number {
    this.columnCount = lenencAt(bytes, start, end)
    if (this.columnCount === 0)
      throw new ProtocolError('bad-column-count', 'the server announced a result without columns')
    const flagAt = start + lenencSize(bytes[start])
    const metadataFollows = !this.#metadataFlag || flagAt >= end || bytes[flagAt] !== 0
    this.#definitions = this.columnCount
    if (metadataFollows) {
      this.#firstDefinition = true
      this.#state = State.columns
    } else this.#definitionsDone()
    return ResponseEvent.more
  }

  /**
   * The EOF between metadata and rows. With a cursor no rows follow it; but a procedure that has a cursor of its own open
   * says CURSOR_EXISTS as well, and its rows do follow.
   */
  #takeColumnsEof(bytes: Buffer, start: number, end: number): number {
    if (bytes[start] !== 0xfe || end - start >= 9) {
      throw new ProtocolError('missing-eof', 'the server sent no EOF after the column definitions')
    }
    if (this.#inPrepare) {
      const changed = end - start >= 5 && (bytes.readUInt16LE(start + 3) & SESSION_STATE_CHANGED) !== 0
      this.#nextPreparedGroup()
      return changed ? ResponseEvent.stateFlag : ResponseEvent.more
    }
    this.#readEof(bytes, start, end)
    const opened = this.#mayOpenCursor && (this.statusFlags & CURSOR_EXISTS) !== 0
    this.#state = opened ? State.end : State.rows
    this.#outParameters = (this.statusFlags & PS_OUT_PARAMS) !== 0
    return this.#eofEvent()
  }

  /** An OK or EOF that ends a result. */
  #takeEnd(bytes: Buffer, start: number, end: number): number {
    const isEof = bytes[start] === 0xfe && (!this.#deprecateEof || end - start < 7)
    if (isEof) this.#readEof(bytes, start, end)
    else this.#readOk(bytes, start, end)
    const follows = (this.statusFlags & MORE_RESULTS_EXISTS) !== 0 || this.#outParameters
    this.#state = follows ? State.first : State.end
    this.#outParameters = false
    if (isEof) return this.#eofEvent()
    return (this.statusFlags & SESSION_STATE_CHANGED) !== 0 ? ResponseEvent.sessionState : ResponseEvent.more
  }

  #eofEvent(): number {
    return (this.statusFlags & SESSION_STATE_CHANGED) !== 0 ? ResponseEvent.stateFlag : ResponseEvent.more
  }

  #readEof(bytes: Buffer, start: number, end: number): void {
    if (end - start < 5) throw new ProtocolError('truncated', 'the server sent an EOF packet without status flags')
    this.hasStatus = true
    this.warnings = bytes[start + 1] | (bytes[start + 2] << 8)
    this.statusFlags = bytes[start + 3] | (bytes[start + 4] << 8)
  }

  #readOk(bytes: Buffer, start: number, end: number): void {
    let at = start + 1
    this.affectedRows = lenencAt(bytes, at, end)
    at += lenencSize(bytes[at])
    this.lastInsertId = lenencAt(bytes, at, end)
    at += lenencSize(bytes[at])
    if (at + 4 > end) throw new ProtocolError('truncated', 'the server sent an OK packet without status flags')
    this.hasStatus = true
    this.statusFlags = bytes[at] | (bytes[at + 1] << 8)
    this.warnings = bytes[at + 2] | (bytes[at + 3] << 8)
  }

  #takePrepareOk(bytes: Buffer, start: number, end: number): number {
    if (bytes[start] !== 0x00 || end - start < OK_SIZE_MIN) {
      throw new ProtocolError('bad-prepare-ok', 'the server sent no valid answer to COM_STMT_PREPARE')
    }
    // Servers answer so to what they can neither prepare nor refuse (MySQL: SET GLOBAL without the privilege).
    if (end - start < PREPARE_OK_SIZE_MIN) return this.#takeEnd(bytes, start, end)
    this.statementId = bytes.readUInt32LE(start + 1)
    this.columnCount = bytes.readUInt16LE(start + 5)
    this.parameterCount = bytes.readUInt16LE(start + 7)
    this.warnings = bytes.readUInt16LE(start + 10)
    const metadataFollows = !this.#optionalMetadata || end - start < 13 || bytes[start + 12] !== 0
    this.#groups = metadataFollows ? [this.parameterCount, this.columnCount].filter((count) => count > 0) : []
    this.#inPrepare = true
    this.#nextPreparedGroup()
    return ResponseEvent.prepared
  }

  /** Keeps the end of a chunk that cuts a header or an edge packet. */
  #hold(chunk: Buffer, position: number, end: number): void {
    const add = end - position
    if (add === 0) return
    const needed = this.#heldLength + add
    if (needed > EDGE_LIMIT)
      throw new ProtocolError('edge-too-large', `the server sent an OK packet of over ${EDGE_LIMIT} bytes`)
    if (needed > this.#held.length || this.#held === EMPTY) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#held.length, 64))
      this.#held.copy(grown, 0, 0, this.#heldLength)
      this.#held = grown
    }
    chunk.copy(this.#held, this.#heldLength, position, end)
    this.#heldLength = needed
  }

  /**
   * Goes on with a packet whose beginning was held back from earlier chunks. Returns an event, or NOT_YET when the packet
   * turned out to be plain: then `carry` holds what was held back, and `next` is where to go on.
   */
  #completeHeld(chunk: Buffer, start: number, end: number): number {
    const heldBefore = this.#heldLength
    let position = start
    let length = this.#heldLength >= HEADER ? this.#heldPayloadLength() : -1
    while (this.#heldLength < HEADER + 1 && length !== 0 && position < end) {
      this.#hold(chunk, position, ++position)
      if (this.#heldLength === HEADER) length = this.#heldPayloadLength()
    }
    if (length === 0) {
      this.sequence = this.#held[3]
      this.#emptyPacket()
      return this.#releaseHeld(heldBefore, position)
    }
    if (this.#heldLength < HEADER + 1) return this.#stop(start, end, ResponseEvent.more)
    // More than the first byte is held of edges only; of others it has to be told now (and is told once: rows are counted).
    if (this.#heldLength === HEADER + 1 && !this.#isEdge(this.#held[HEADER], length)) {
      this.sequence = this.#held[3]
      this.#skip = length - 1
      this.#continues = length === MAX_PAYLOAD
      if (this.#digesting) this.#digest(this.#held, HEADER, HEADER + 1)
      return this.#releaseHeld(heldBefore, position)
    }
    const next = Math.min(end, position + HEADER + length - this.#heldLength)
    this.#hold(chunk, position, next)
    if (this.#heldLength < HEADER + length) return this.#stop(start, end, ResponseEvent.more)
    this.sequence = this.#held[3]
    const event = this.#takeEdge(this.#held, HEADER, HEADER + length)
    if (event === ResponseEvent.more) return this.#releaseHeld(heldBefore, next)
    this.edge = this.#held
    this.edgeStart = HEADER
    this.edgeEnd = HEADER + length
    this.edgeSequence = this.#held[3]
    this.#held = EMPTY
    this.#heldLength = 0
    return this.#stop(start, next, event)
  }

  #heldPayloadLength(): number {
    return this.#held[0] | (this.#held[1] << 8) | (this.#held[2] << 16)
  }

  /** What was held is plain after all: the part from earlier chunks becomes `carry`, the rest is in this chunk anyway. */
  #releaseHeld(heldBefore: number, next: number): number {
    this.carry = this.#held.subarray(0, heldBefore)
    this.#held = EMPTY
    this.#heldLength = 0
    this.next = next
    return NOT_YET
  }
}

/** Size in bytes of the length-encoded integer that begins with `first`. */
function lenencSize(first: number): number {
  return first < 0xfb ? 1 : first === 0xfc ? 3 : first === 0xfd ? 4 : first === 0xfe ? 9 : 1
}

/** Value of the length-encoded integer at `at`; above 2^53 it loses precision, which is harmless where it is used. */
function lenencAt(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at]
  if (at >= end || at + lenencSize(first) > end) throw new ProtocolError('truncated', 'a length-encoded number is cut')
  if (first < 0xfb) return first
  if (first === 0xfc) return bytes.readUInt16LE(at + 1)
  if (first === 0xfd) return bytes.readUIntLE(at + 1, 3)
  if (first === 0xfe) return bytes.readUInt32LE(at + 1) + bytes.readUInt32LE(at + 5) * 0x1_0000_0000
  throw new ProtocolError('bad-length', 'a length-encoded number begins with 0xfb or 0xff')
}
