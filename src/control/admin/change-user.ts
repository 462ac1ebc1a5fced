import {
  AuthPlugin,
  accessDenied,
  type ChangeUser,
  nativeStage2,
  newScramble,
  PayloadWriter,
  sha2Digest,
  verifyNative,
  verifySha2,
} from '../../../protocol/index.js'
import { ProxyError } from '../../shared/errors.js'
import { findAccount } from './accounts.js'

const AUTH_SWITCH = 0xfe
const MORE_DATA = 0x01
const FAST_AUTH_SUCCESS = 0x03

/**
 * The exchange of COM_CHANGE_USER: the client is asked to answer a new scramble, by its own plugin where that is one of
 * the two that prove a password at once.
 */
export class UserChange {
  readonly username: string
  private readonly scramble = newScramble()
  private readonly plugin: string
  private readonly password: string | null

  constructor(request: ChangeUser, users: Readonly<Record<string, string>>, clientIsLocal: boolean) {
    this.username = request.username.toString('utf8')
    this.plugin = request.authPlugin === AuthPlugin.NATIVE ? AuthPlugin.NATIVE : AuthPlugin.CACHING_SHA2
    const known = findAccount(users, this.username, clientIsLocal) !== null
    this.password = known ? users[this.username] : null
  }

  /** Payload of the request to the client. */
  request(): Buffer {
    return new PayloadWriter(64).u8(AUTH_SWITCH).nulString(this.plugin).bytes(this.scramble).u8(0).take()
  }

  /** What goes to the client before the OK, or null for nothing. Throws ProxyError (1045): the connection is to be closed. */
  judge(answer: Buffer, clientHost: string): Buffer | null {
    const given = answer.length > 1 || (answer.length === 1 && answer[0] !== 0)
    const right = this.password !== null && (given ? this.proves(answer, this.password) : this.password === '')
    if (!right) {
      const { errno, sqlState, message } = accessDenied(this.username, clientHost, given)
      throw new ProxyError('access-denied', errno, sqlState, message)
    }
    return given && this.plugin === AuthPlugin.CACHING_SHA2 ? Buffer.of(MORE_DATA, FAST_AUTH_SUCCESS) : null
  }

  private proves(answer: Buffer, password: string): boolean {
    if (password === '') return false
    if (this.plugin === AuthPlugin.CACHING_SHA2) return verifySha2(answer, this.scramble, sha2Digest(password))
    return verifyNative(answer, this.scramble, nativeStage2(password)) !== undefined
  }
}
