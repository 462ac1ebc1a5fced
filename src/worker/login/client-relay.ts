import type { ClientRelayAction } from '../../../protocol/index.js'
import type { Backend } from '../backend/backend.js'
import { RelayedLogin } from '../backend/backend-connect.js'
import type { BackendLogin } from '../backend/backend-login.js'
import type { Candidate } from '../routing/topology-view.js'

export interface ClientRelayOwner {
  /** The server wants an answer by this plugin. */
  serverAsks(question: ClientRelayAction): void
  serverAccepted(backend: Backend): void
  /** @param failure a BackendConnectError as a rule: the server's refusal, or that it could not be reached */
  serverRefused(failure: unknown): void
}

/** A login in which a server asks the client itself, and Sluice carries questions and answers. */
export class ClientRelay {
  readonly candidate: Candidate
  readonly #login: RelayedLogin
  #abandoned = false

  /**
   * @param firstMs for the server's first word
   * @param timeoutMs for all of it, which is the client's time for the most part
   */
  constructor(
    candidate: Candidate,
    login: BackendLogin,
    { firstMs, timeoutMs }: { readonly firstMs: number; readonly timeoutMs: number },
    owner: ClientRelayOwner,
  ) {
    this.candidate = candidate
    const silence = setTimeout(() => this.#login.abandon(`no login within ${firstMs} ms`), firstMs)
    this.#login = new RelayedLogin(candidate.target, login, (question) => {
      clearTimeout(silence)
      if (!this.#abandoned) owner.serverAsks(question)
    })
    this.#login
      .run(timeoutMs)
      .finally(() => clearTimeout(silence))
      .then(
        (backend) => {
          if (this.#abandoned) backend.quit()
          else owner.serverAccepted(backend)
        },
        (failure: unknown) => {
          if (!this.#abandoned) owner.serverRefused(failure)
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
