import type { FromWorker, SessionKill, SessionPlace, SessionWanted } from '../../shared/ipc.js'
import type { Sessions, WorkerContext } from '../context.js'
import { findSession, performKill, placeOf } from './kill.js'
import type { Session } from './session.js'
import { standIn } from './stand-in.js'

/** A control plane that is there answers sooner. */
const ANSWER_MS = 2_000

/** Looks for sessions on all workers, which ask each other through the control plane, and has them killed where they are. */
export class SessionSearch implements Sessions {
  readonly #sessions: ReadonlyMap<number, Session>
  readonly #context: WorkerContext
  readonly #send: (message: FromWorker) => void
  /** Questions to other workers that wait for their answers, by request. */
  readonly #waiting = new Map<number, (place: SessionPlace | null) => void>()
  #lastRequest = 0

  /** @param sessions this worker's own, by id */
  constructor(sessions: ReadonlyMap<number, Session>, context: WorkerContext, send: (message: FromWorker) => void) {
    this.#sessions = sessions
    this.#context = context
    this.#send = send
  }

  find(wanted: SessionWanted): Promise<SessionPlace | null> {
    const own = findSession(this.#sessions, wanted)
    if (own !== null) return this.#place(own, wanted)
    const request = ++this.#lastRequest
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.found(request, null), ANSWER_MS)
      this.#waiting.set(request, (place) => {
        clearTimeout(timer)
        resolve(place)
      })
      this.#send({ type: 'find-session', request, wanted })
    })
  }

  /** The answer to what this worker has asked. */
  found(request: number, place: SessionPlace | null): void {
    this.#waiting.get(request)?.(place)
    this.#waiting.delete(request)
  }

  /** Answers what another worker has asked. */
  answer(request: number, wanted: SessionWanted): void {
    const session = findSession(this.#sessions, wanted)
    const tell = (place: SessionPlace | null): void => this.#send({ type: 'session-found', request, place })
    if (session === null) tell(null)
    else void this.#place(session, wanted).then(tell)
  }

  /** Whether another account may kill a session is for a server to say, which has to know something of it. */
  async #place(session: Session, { killer }: SessionWanted): Promise<SessionPlace> {
    const place = placeOf(session)
    if (place.connections.length > 0 || killer === null || killer === place.user) return place
    const connection = await standIn(session, this.#context)
    return connection === null ? place : { ...place, connections: [connection] }
  }

  kill(kill: SessionKill): void {
    if (this.#sessions.has(kill.sessionId)) this.killHere(kill)
    else this.#send({ type: 'kill-session', kill })
  }

  killHere(kill: SessionKill): void {
    const session = this.#sessions.get(kill.sessionId)
    if (session !== undefined) performKill(session, kill, this.#context)
  }
}
