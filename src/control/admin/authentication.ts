import {
  encodeErr,
  frame,
  ServerErrors,
  ServerLogin,
  type ServerLoginAction,
  type ServerLoginOptions,
  type ServerLoginResult,
} from '../../../protocol/index.js'
import { FAILED_LOGINS_MAX, findAccount, throttleKey } from './accounts.js'
import type { ConnectionContext } from './connection-context.js'
import { isLocal } from './peer.js'

export interface AuthenticationOwner {
  send(packet: Buffer): void
  startTls(): void
  /** @param sequence number of the OK that the client waits for */
  authenticated(login: ServerLoginResult, sequence: number): void
  /** `packet` is to be sent before the connection is closed. */
  refused(packet: Buffer): void
}

export type AuthenticationOptions = Omit<ServerLoginOptions, 'clientHost' | 'findAccount' | 'rsaKeyPair'>

/**
 * Finds out whether a client of this port is who it says, at its login or by COM_CHANGE_USER, and makes it wait that
 * guesses. Drives the protocol's machine; sockets are its owner's.
 */
export class AdminAuthentication {
  private readonly context: ConnectionContext
  private readonly address: string
  private readonly owner: AuthenticationOwner
  private readonly machine: ServerLogin
  private username = ''
  private waitMs = 0
  private ended = false

  /** @param address where the client comes from; `localhost` for a unix socket */
  constructor(context: ConnectionContext, address: string, options: AuthenticationOptions, owner: AuthenticationOwner) {
    this.context = context
    this.address = address
    this.owner = owner
    this.machine = new ServerLogin({
      ...options,
      clientHost: address,
      findAccount: (username) => this.accountOf(username),
      rsaKeyPair: context.rsaKeyPair,
    })
  }

  /** The client has been accepted or refused: this is to get no further packets. */
  get over(): boolean {
    return this.ended
  }

  start(): void {
    this.perform(this.machine.start())
  }

  /** Begins with the payload of COM_CHANGE_USER instead. */
  changeUser(payload: Buffer, sequence: number): void {
    this.perform(this.machine.changeUser(payload, sequence))
  }

  packet(payload: Buffer, sequence: number): void {
    this.perform(this.machine.packet(payload, sequence))
  }

  tlsEstablished(): void {
    this.perform(this.machine.tlsEstablished())
  }

  private accountOf(username: string) {
    this.username = username
    this.waitMs = this.context.throttle.waitOf(throttleKey(this.address, username), performance.now())
    return this.waitMs > 0 ? null : findAccount(this.context.accounts().users, username, isLocal(this.address))
  }

  private perform(actions: readonly ServerLoginAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'send':
          this.owner.send(action.packet)
          break
        case 'startTls':
          this.owner.startTls()
          break
        case 'done':
          this.ended = true
          this.context.throttle.succeeded(throttleKey(this.address, this.username))
          this.context.audit.write({ action: 'login', user: this.username, address: this.address, outcome: 'ok' })
          this.owner.authenticated(action.login, action.sequence)
          break
        case 'fail':
          this.fail(action.packet, action.reason)
          break
        default:
          throw new Error('admin accounts are judged here')
      }
    }
  }

  private fail(packet: Buffer, reason: string): void {
    this.ended = true
    const { address, username, waitMs } = this
    this.context.log.warn({ client: address, user: username, reason }, 'admin login refused')
    this.context.audit.write({ action: 'login', user: username, address, outcome: waitMs > 0 ? 'has to wait' : reason })
    if (waitMs > 0) return this.owner.refused(frame(encodeErr(tooManyFailures(username, waitMs)), packet[3]))
    if (reason === 'access-denied') {
      this.noteFailure()
    }
    this.owner.refused(packet)
  }

  private noteFailure(): void {
    const { throttle, note } = this.context
    const client = throttleKey(this.address, this.username)
    const now = performance.now()
    throttle.failed(client, now, FAILED_LOGINS_MAX)
    const waitS = Math.ceil(throttle.waitOf(client, now) / 1000)
    if (waitS === 0) return
    const what = `logins have to wait for ${waitS} s`
    const why = `${FAILED_LOGINS_MAX} failed in a row`
    note({ kind: 'login', what, why, who: `${this.username}@${this.address}` })
  }
}

function tooManyFailures(username: string, waitMs: number) {
  const seconds = Math.ceil(waitMs / 1000)
  return {
    ...ServerErrors.HOST_IS_BLOCKED,
    message: `sluice: too many failed logins of '${username}' from this address; expected none for ${seconds} s`,
  }
}
