import type { Account } from '../../../protocol/index.js'
import type { Role } from './session.js'

/** ProxySQL's own default accounts: everybody knows their passwords. */
const DEFAULT_PASSWORDS: Readonly<Record<string, string>> = { admin: 'admin', stats: 'stats' }

/** The account of this name reads statistics; every other one administers. */
const STATS_ACCOUNT = 'stats'

/** Failed logins in a row from which on a client of the login throttle has to wait. */
export const FAILED_LOGINS_MAX = 10

/**
 * A client of the login throttle: one name at one address, so that one tool with an old password does not lock out the
 * operator beside it.
 */
export function throttleKey(address: string, name: string): string {
  return `${address} ${name}`
}

export function roleOf(user: string): Role {
  return user === STATS_ACCOUNT ? 'stats' : 'admin'
}

/**
 * The account for a login, or null: there is none, or it still has its default password and the client is on another
 * machine. The client cannot tell these apart from a wrong password.
 */
export function findAccount(
  users: Readonly<Record<string, string>>,
  name: string,
  clientIsLocal: boolean,
): Account | null {
  if (!Object.hasOwn(users, name)) return null
  const password = users[name]
  if (!clientIsLocal && DEFAULT_PASSWORDS[name] === password) return null
  return { name, secret: password === '' ? { kind: 'none' } : { kind: 'clear', password } }
}
