import type { ClientRelayAction, ErrPacket } from '../../../protocol/index.js'
import type { Backend } from '../backend/backend.js'
import { BackendConnectError, RelayedLogin } from '../backend/backend-connect.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { Candidate } from '../routing/topology-view.js'

export interface ClientRelayOwner {
  /** The server wants an answer by this plugin. */
  serverAsks(question: ClientRelayAction): void
  serverAccepted(backend: Backend): void
  /** @param err the server's refusal; null: it could not be reached */
  serverRefused(err: ErrPacket | null): void
}

/** A login in which a server asks the client itself, and Sluice carries questions and answers. */
export class ClientRelay {
  readonly candidate: Candidate
  readonly #login: RelayedLogin
  #abandoned = false

  constructor(candidate: Candidate, login: BackendLogin, timeoutMs: number, owner: ClientRelayOwner) {
    this.candidate = candidate
    this.#login = new RelayedLogin(candidate.target, login, (question) => {
      if (!this.#abandoned) owner.serverAsks(question)
    })
    this.#login.run(timeoutMs).then(
      (backend) => {
        if (this.#abandoned) backend.quit()
        else owner.serverAccepted(backend)
      },
      (error: unknown) => {
        if (!this.#abandoned) owner.serverRefused(error instanceof BackendConnectError ? error.err : null)
      },
    )
  }

  /** The client's answer. */
  answer(payload: Buffer): void {
    this.#login.answer(payload)
  }

  /** Nobody waits for the outcome any more. */
  abandon(): void {
    this.#abandoned = true
    this.#login.abandon()
  }
}
