import {
  type Account,
  AuthPlugin,
  accessDenied,
  type ClientRelayAction,
  type ErrPacket,
  encodeErr,
  frame,
  type HandshakeResponse,
  ServerLogin,
  type ServerLoginAction,
  type ServerLoginOptions,
  type ServerLoginResult,
} from '../../../protocol/index.js'
import { monotonicMs } from '../../shared/clock.js'
import type { UserEntry } from '../../shared/snapshot.js'
import type { Backend } from '../backend/backend.js'
import { BackendConnectError } from '../backend/backend-connect.js'
import { type BackendLogin, backendLogin } from '../backend/backend-login.js'
import type { ClientAddress } from '../client/client-address.js'
import type { WorkerContext } from '../context.js'
import type { Candidate } from '../routing/topology-view.js'
import { type AccountPlan, planLogin } from './accounts.js'
import { ClientRelay, type ClientRelayOwner } from './client-relay.js'
import { type Credentials, revealedBy, sameCredentials } from './credentials.js'
import { askServers, type Judgement, mayHelp, primaryToAsk } from './pass-through.js'
import { ServerWait } from './server-wait.js'

/** A client that is who it says, and how Sluice logs in to the servers for it. */
export interface Authenticated {
  readonly login: ServerLoginResult
  readonly user: UserEntry
  /** null: only the client itself can answer a server, as it did for `relayed`. */
  readonly credentials: Credentials | null
  /** The connection to the primary that the client has logged in by itself. */
  readonly relayed: RelayedConnection | null
  /** Sequence number of the OK or ERR that the client waits for. */
  readonly sequence: number
}

export interface RelayedConnection {
  readonly backend: Backend
  readonly candidate: Candidate
}

export interface AuthenticationOwner {
  send(packet: Buffer): void
  startTls(): void
  authenticated(result: Authenticated): void
  /** `packet` is to be sent before the connection is closed. */
  refused(packet: Buffer, err: ErrPacket, reason: string): void
  /** A mistake of ours. */
  crashed(error: unknown): void
}

export type AuthenticationOptions = Omit<ServerLoginOptions, 'clientHost' | 'findAccount' | 'rsaKeyPair'>

/**
 * Finds out whether a client is who it says, at its login or by COM_CHANGE_USER: by the configuration, or by asking the
 * servers. Drives the protocol's machine; sockets are its owner's.
 */
export class Authentication implements ClientRelayOwner {
  readonly #context: WorkerContext
  readonly #place: () => ClientAddress
  readonly #options: AuthenticationOptions
  readonly #owner: AuthenticationOwner
  readonly #machine: ServerLogin
  #username = ''
  #response: HandshakeResponse | null = null
  #plan: AccountPlan | null = null
  #relay: ClientRelay | null = null
  #relayed: RelayedConnection | null = null
  /** For the server that is to ask the client. */
  #wait: ServerWait | null = null
  /** What a server has just found right. */
  #confirmed: Credentials | null = null
  /** Sequence number of an answer to the client's last packet. */
  #answerAt = 0
  #waiting = false
  #over = false

  /** @param place asked when it matters, since a PROXY header may tell it late */
  constructor(
    context: WorkerContext,
    place: () => ClientAddress,
    options: AuthenticationOptions,
    owner: AuthenticationOwner,
  ) {
    this.#context = context
    this.#place = place
    this.#options = options
    this.#owner = owner
    this.#machine = new ServerLogin({
      ...options,
      get clientHost() {
        return hostInMessages(place().host, context)
      },
      findAccount: (username, response, secure) => this.#findAccount(username, response, secure),
      rsaKeyPair: context.rsaKeyPair,
    })
  }

  /** A server is being asked: the client has nothing to say until it has answered. */
  get waiting(): boolean {
    return this.#waiting
  }

  start(): void {
    this.#perform(this.#machine.start())
  }

  changeUser(payload: Buffer, sequence: number): void {
    this.#answerAt = (sequence + 1) & 0xff
    this.#perform(this.#machine.changeUser(payload, sequence))
  }

  packet(payload: Buffer, sequence: number): void {
    this.#answerAt = (sequence + 1) & 0xff
    this.#perform(this.#machine.packet(payload, sequence))
  }

  tlsEstablished(): void {
    this.#perform(this.#machine.tlsEstablished())
  }

  /** The client has gone. */
  abandon(): void {
    this.#over = true
    this.#relay?.abandon()
  }

  #perform(actions: ServerLoginAction[]): void {
    for (const action of actions) {
      if (this.#over) return
      switch (action.type) {
        case 'send':
          this.#owner.send(action.packet)
          break
        case 'startTls':
          this.#owner.startTls()
          break
        case 'verify':
          this.#await(this.#verify(action.password))
          break
        case 'relay':
          this.#waiting = true
          this.#relay!.answer(action.payload)
          break
        case 'done':
          this.#judge(action.login, action.sequence)
          break
        case 'fail':
          this.#refuse(action.packet, action.err, action.reason)
      }
    }
  }

  #await(work: Promise<void>): void {
    this.#waiting = true
    work
      .catch((error: unknown) => {
        if (!this.#over) this.#owner.crashed(error)
      })
      .finally(() => {
        this.#waiting = false
      })
  }

  #refuse(packet: Buffer, err: ErrPacket, reason: string): void {
    this.#over = true
    this.#relay?.abandon()
    const { throttle, view } = this.#context
    if (err.errno === ACCESS_DENIED)
      throttle.failed(this.#place().host, monotonicMs(), view.snapshot.limits.maxFailedLogins)
    this.#owner.refused(packet, err, reason)
  }

  // Which account it is, and how it is judged. -------------------------------------------------------------------------

  #findAccount(username: string, response: HandshakeResponse, secure: boolean): Account | null | 'later' {
    this.#response = response
    this.#username = username
    const { view, verifiers } = this.#context
    const wait = this.#context.throttle.waitOf(this.#place().host, monotonicMs())
    if (wait > 0) return this.#refuseLater(blocked(this.#place().host, wait), 'throttled')
    const user = this.#context.findUser(username)
    const verifier = verifiers.get(this.#account)
    this.#plan = planLogin({
      snapshot: view.snapshot,
      user,
      username,
      response,
      secure,
      tls: this.#machine.tls,
      changesUser: this.#options.changeUser !== undefined,
      verifier,
    })
    if (this.#plan === null) return null
    if (this.#plan.secret !== 'relay') return { name: username, secret: this.#plan.secret }
    this.#waiting = true
    this.#relayToPrimary(response, new ServerWait(this.#context, this.#plan.user.defaultHostgroup))
    return 'later'
  }

  /** The machine waits for an account that does not come. */
  #refuseLater(err: ErrPacket, reason: string): 'later' {
    queueMicrotask(() => {
      if (!this.#over) this.#refuse(frame(encodeErr(err), this.#answerAt), err, reason)
    })
    return 'later'
  }

  /** The name under which what is known of it is kept: a server that gets PROXY headers knows accounts by address, too. */
  get #account(): string {
    const byAddress = this.#context.view.snapshot.servers.some(({ proxyProtocol }) => proxyProtocol !== 'off')
    return byAddress ? `${this.#username}\n${this.#place().host}` : this.#username
  }

  #backendLogin(credentials: Credentials | null, response: HandshakeResponse): BackendLogin {
    const { changeUser, capabilities, mariadbCapabilities = 0 } = this.#options
    return backendLogin(credentials, this.#username, {
      capabilities: changeUser?.capabilities ?? response.capabilities & capabilities,
      mariadbCapabilities: changeUser?.mariadbCapabilities ?? response.mariadbCapabilities & mariadbCapabilities,
      database: response.database ?? '',
      collation: response.collation,
      attributes: response.attributes,
      client: this.#place().endpoints,
    })
  }

  // The servers have the last word. ------------------------------------------------------------------------------------

  /** The client has shown its password. */
  async #verify(password: Buffer): Promise<void> {
    const credentials = { username: this.#username, password }
    const { err } = await this.#ask(credentials, true)
    if (this.#over) return
    if (err === null) this.#confirmed = credentials
    this.#perform(this.#machine.verified(err ?? 'ok'))
  }

  /** @param waits as long as it has to, up to a limit, while no server can be asked */
  async #ask(credentials: Credentials, waits: boolean): Promise<Judgement> {
    const login = this.#backendLogin(credentials, this.#response!)
    const { defaultHostgroup } = this.#plan!.user
    const { err, judged } = await askServers(this.#context, defaultHostgroup, login, () => waits && !this.#over)
    return { err: err === null ? null : this.#asSeenByClient(err), judged }
  }

  /** The server knows Sluice's address; the client is told its own. */
  #asSeenByClient(err: ErrPacket): ErrPacket {
    if (err.errno !== ACCESS_DENIED) return err
    return accessDenied(this.#username, hostInMessages(this.#place().host, this.#context), !err.message.endsWith('NO)'))
  }

  #judge(login: ServerLoginResult, sequence: number): void {
    const plan = this.#plan!
    if (!plan.passThrough) return this.#finishConfigured(login, sequence, plan)
    if (this.#relayed !== null) return this.#finish(login, sequence, null)
    if (this.#confirmed !== null) return this.#remember(login, sequence, this.#confirmed)
    const known = this.#context.verifiers.get(this.#account)
    const credentials = revealedBy(login, this.#username) ?? known?.credentials
    if (credentials === undefined) throw new Error('a login succeeded by what nobody knows')
    const { recheckMs } = this.#context.view.snapshot.passThrough!
    const same = known !== null && sameCredentials(known.credentials, credentials)
    if (same && known.confirmedAt + recheckMs > monotonicMs()) return this.#finish(login, sequence, known.credentials)
    this.#await(this.#recheck(login, sequence, credentials))
  }

  /** What was right a while ago is asked for again, so that a password that has been changed does not stay good. */
  async #recheck(login: ServerLoginResult, sequence: number, credentials: Credentials): Promise<void> {
    const { verifiers } = this.#context
    const known = verifiers.get(this.#account)
    const { err, judged } = await this.#ask(credentials, known === null)
    if (this.#over) return
    if (err === null) return this.#remember(login, sequence, credentials)
    // Whatever the session does is judged by a server again, once one is there.
    if (!judged && known !== null) return this.#finish(login, sequence, credentials)
    if (known !== null) verifiers.forget(this.#account, known)
    this.#refuse(frame(encodeErr(err), sequence), err, 'access-denied')
  }

  #remember(login: ServerLoginResult, sequence: number, credentials: Credentials): void {
    const { verifiers } = this.#context
    const digest = login.sha2Digest ?? verifiers.get(this.#account)?.digest
    verifiers.set(this.#account, { digest, credentials, hash: null, confirmedAt: monotonicMs() })
    this.#finish(login, sequence, credentials)
  }

  #finishConfigured(login: ServerLoginResult, sequence: number, plan: AccountPlan): void {
    const { name, passwordHash, backendUser } = plan.user
    const revealed = revealedBy(login, backendUser ?? name)
    if (passwordHash !== null && revealed !== null) {
      const verifier = { digest: login.sha2Digest, credentials: revealed, hash: passwordHash, confirmedAt: -1 }
      this.#context.verifiers.set(this.#account, verifier)
    }
    this.#finish(login, sequence, plan.credentials ?? revealed)
  }

  #finish(login: ServerLoginResult, sequence: number, credentials: Credentials | null): void {
    this.#over = true
    this.#context.throttle.succeeded(this.#place().host)
    this.#owner.authenticated({ login, user: this.#plan!.user, credentials, relayed: this.#relayed, sequence })
  }

  // A server asks the client itself. -----------------------------------------------------------------------------------

  /** The primary is to ask the client; until it has, its place may be taken by another. */
  #relayToPrimary(response: HandshakeResponse, wait: ServerWait): void {
    this.#wait = wait
    const candidate = primaryToAsk(this.#context, this.#plan!.user.defaultHostgroup)
    if (candidate === null) return this.#relayLater(response, wait)
    const timeoutMs = this.#context.view.snapshot.limits.handshakeTimeoutMs
    const times = { firstMs: wait.attemptMs, timeoutMs }
    this.#relay = new ClientRelay(candidate, this.#backendLogin(null, response), times, this)
  }

  #relayLater(response: HandshakeResponse, wait: ServerWait): void {
    const goOn = (isInTime: boolean): void => {
      if (this.#over) return
      if (isInTime) return this.#relayToPrimary(response, wait)
      const { errno, sqlState, message } = wait.error
      this.#refuseLater({ errno, sqlState, message }, 'unreachable')
    }
    wait
      .more()
      .then(goOn)
      .catch((error: unknown) => this.#owner.crashed(error))
  }

  serverAsks(question: ClientRelayAction): void {
    this.#waiting = false
    if (question.kind === 'more') return this.#perform(this.#machine.relayed(question.payload))
    const { plugin, data } = question
    if (!NEEDS_PASSWORD.has(plugin)) {
      return this.#perform(
        this.#machine.accountFound({ name: this.#username, secret: { kind: 'relay', plugin, data } }),
      )
    }
    // The account's plugin is one that shows the password, after all: it is shown to Sluice, by RSA.
    this.#relay!.abandon()
    this.#perform(this.#machine.accountFound({ name: this.#username, secret: { kind: 'external' } }))
  }

  serverAccepted(backend: Backend): void {
    this.#waiting = false
    this.#relayed = { backend, candidate: this.#relay!.candidate }
    // Without a question: the account has no password.
    if (this.#machine.state === 'lookup')
      this.#perform(this.#machine.accountFound({ name: this.#username, secret: { kind: 'none' } }))
    else this.#perform(this.#machine.verified('ok'))
  }

  serverRefused(failure: unknown): void {
    const wait = this.#wait!
    wait.lastFailure = failure
    const isAsked = this.#machine.state !== 'lookup'
    if (!isAsked && mayHelp(failure)) return this.#relayLater(this.#response!, wait)
    this.#waiting = false
    const { errno, sqlState, message } = wait.error
    const refusal = failure instanceof BackendConnectError ? failure.err : null
    const seen = this.#asSeenByClient(refusal ?? { errno, sqlState, message })
    if (isAsked) this.#perform(this.#machine.verified(seen))
    else this.#refuseLater(seen, 'refused')
  }
}

/** As a server would name the client, had it come to the server. */
function hostInMessages(host: string, { view }: WorkerContext): string {
  return LOOPBACK.has(host) && view.snapshot.greeting.resolvesNames === true ? 'localhost' : host
}

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1'])

function blocked(host: string, waitMs: number): ErrPacket {
  const seconds = Math.ceil(waitMs / 1000)
  const message = `Host '${host}' is blocked because of many failed logins (sluice: max_failed_logins; try again in ${seconds} s)`
  return { errno: 1129, sqlState: 'HY000', message }
}

/** Their exchange cannot be carried on from one connection to another: it depends on TLS or on the server's RSA key. */
const NEEDS_PASSWORD: ReadonlySet<string> = new Set([AuthPlugin.CACHING_SHA2, AuthPlugin.SHA256, AuthPlugin.CLEAR])
const ACCESS_DENIED = 1045
