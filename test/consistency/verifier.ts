import type { History, Operation, Read, Write } from './history.js'

/**
 * Finds where a history breaks a guarantee. Sound: under the model of history.ts, what it reports cannot have happened on one
 * that keeps them. Within each session, and again within each causal token (whatever the session):
 *
 * - `read-your-writes`: a read shows at least the newest version that was acknowledged before it began;
 * - `monotonic-reads`: a read shows at least the newest version that a read showed which ended before it began.
 *
 * Of all clients together `committed-reads`: a read shows at least the newest version that was acknowledged to whomever before its
 * session began, or before it began itself at the level `global`. And `lost-write`: a write that begins after another one was acknowledged makes a newer version. Were
 * it otherwise, the primary would have lost a write, and the others would say nothing about the proxy.
 */
export type Guarantee = 'read-your-writes' | 'monotonic-reads' | 'committed-reads' | 'lost-write'

export interface Violation {
  readonly guarantee: Guarantee
  readonly scope: 'session' | 'token' | 'all'
  readonly register: number
  readonly operation: Operation
  readonly version: number
  /** What should have been seen, or more. */
  readonly expected: number
  /** Who wrote it or saw it before. */
  readonly because: Operation
  /** See history.ts. */
  readonly shownEarly: boolean
}

export function verify(history: History): Violation[] {
  const violations: Violation[] = []
  const acknowledged = new Acknowledged(history)
  const found = (group: History, scope: Violation['scope']) => violations.push(...sweep(group, scope, acknowledged))
  for (const group of groups(history, ({ session }) => session)) found(group, 'session')
  for (const group of groups(history, ({ token }) => token)) found(group, 'token')
  found(history, 'all')
  return violations
}

/** One line for people. */
export function describeViolation(violation: Violation): string {
  const { guarantee, scope, register, operation, version, expected, because, shownEarly } = violation
  const at = (one: Operation) =>
    `${one.kind} of session ${one.session}${one.token === null ? '' : ` under ${one.token}`} at ` +
    `${one.begin.toFixed(1)}-${one.end.toFixed(1)} ms${one.kind === 'read' ? ` on ${one.server} (${one.level})` : ''}`
  const early = shownEarly ? ', which showed what its server had not acknowledged yet' : ''
  return `${guarantee} (${scope}): register ${register} is ${version} and not ${expected}: ${at(operation)} after ${at(because)}${early}`
}

function* groups(history: History, keyOf: (operation: Operation) => unknown): Generator<Operation[]> {
  const found = new Map<unknown, Operation[]>()
  for (const operation of history) {
    const key = keyOf(operation)
    if (key === null) continue
    const group = found.get(key)
    if (group === undefined) found.set(key, [operation])
    else group.push(operation)
  }
  yield* found.values()
}

interface Floor {
  readonly register: number
  readonly version: number
  readonly by: Operation
}

/** The newest version of each register so far, and who knows of it. */
class Floors {
  readonly #floors = new Map<number, Floor>()

  of(register: number): Floor | undefined {
    return this.#floors.get(register)
  }

  raise(register: number, version: number, by: Operation): void {
    const floor = this.#floors.get(register)
    if (floor === undefined || floor.version < version) this.#floors.set(register, { register, version, by })
  }
}

/** When writes were acknowledged, by register and version. */
class Acknowledged {
  readonly #ends = new Map<string, number>()

  constructor(history: History) {
    for (const one of history) {
      if (one.kind === 'write' && one.acknowledged) this.#ends.set(`${one.register} ${one.version}`, one.end)
    }
  }

  before(register: number, version: number, at: number): boolean {
    return (this.#ends.get(`${register} ${version}`) ?? Number.POSITIVE_INFINITY) < at
  }
}

/** See "Shown early" in history.ts: whether the server that answered was still about to commit what another had shown. */
function wasShownEarly(operation: Operation, { register, version, by }: Floor, acknowledged: Acknowledged): boolean {
  if (operation.kind !== 'read' || by.kind !== 'read') return false
  const writtenOn = by.values.find(([of]) => of === register)?.[2]
  return writtenOn === operation.server && !acknowledged.before(register, version, operation.begin)
}

/** Goes through a group's operations in time: each is judged by what had ended when it began. */
function sweep(group: History, scope: Violation['scope'], acknowledged: Acknowledged): Violation[] {
  const violations: Violation[] = []
  const written = new Floors()
  const seen = new Floors()
  const judge = (guarantee: Guarantee, floors: Floors, operation: Operation, register: number, version: number) => {
    const floor = floors.of(register)
    const isTooOld =
      floor !== undefined && (operation.kind === 'read' ? version < floor.version : version <= floor.version)
    if (isTooOld) {
      const { version: expected, by: because } = floor
      const shownEarly = wasShownEarly(operation, floor, acknowledged)
      violations.push({ guarantee, scope, register, operation, version, expected, because, shownEarly })
    }
    return !isTooOld
  }
  const onFirstRead = (read: Read) => {
    for (const [register, version] of read.values) judge('committed-reads', written, read, register, version)
  }
  const onRead = (read: Read) => {
    for (const [register, version] of read.values) {
      if (judge('read-your-writes', written, read, register, version)) {
        judge('monotonic-reads', seen, read, register, version)
      }
    }
  }
  const onWrite = (write: Write) => judge('lost-write', written, write, write.register, write.version)

  for (const { operation, isEnd } of events(group, scope)) {
    if (operation.kind === 'write') {
      if (!operation.acknowledged) continue
      if (isEnd) written.raise(operation.register, operation.version, operation)
      else if (scope === 'all') onWrite(operation)
    } else if (operation.level !== 'eventual') {
      if (scope === 'all') onFirstRead(operation)
      else if (isEnd) for (const [register, version] of operation.values) seen.raise(register, version, operation)
      else onRead(operation)
    }
  }
  return violations
}

interface Event {
  readonly operation: Operation
  readonly at: number
  readonly isEnd: boolean
}

/**
 * Beginnings and ends in the order of time; of the same moment beginnings come first, since nothing is known then. For all clients
 * together a read is at the moment of which it has to know.
 */
function events(group: History, scope: Violation['scope']): Event[] {
  const all = group.flatMap((operation): Event[] => {
    if (scope === 'all' && operation.kind === 'read') {
      return operation.sees === undefined ? [] : [{ operation, at: operation.sees, isEnd: false }]
    }
    return [
      { operation, at: operation.begin, isEnd: false },
      { operation, at: operation.end, isEnd: true },
    ]
  })
  return all.sort((one, other) => one.at - other.at || Number(one.isEnd) - Number(other.isEnd))
}
