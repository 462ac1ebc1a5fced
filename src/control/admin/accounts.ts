import { type Account, nativeHash, parseNativeHash, type Secret } from '../../../protocol/index.js'
import type { AdminConfig } from '../config/config-schema.js'
import type { Role } from './session.js'

/** ProxySQL's own default accounts: everybody knows their passwords. */
const DEFAULT_PASSWORDS: Readonly<Record<string, string>> = { admin: 'admin', stats: 'stats' }

/** Failed logins in a row from which on a client of the login throttle has to wait. */
export const FAILED_LOGINS_MAX = 10

/**
 * A client of the login throttle: one name at one address, so that one tool with an old password does not lock out the
 * operator beside it.
 */
export function throttleKey(address: string, name: string): string {
  return `${address} ${name}`
}

export function roleOf(user: string, { statsUsers }: Pick<AdminConfig, 'statsUsers'>): Role {
  return statsUsers.includes(user) ? 'stats' : 'admin'
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
  if (!clientIsLocal && isDefault(name, password)) return null
  return { name, secret: secretOf(password) }
}

function isDefault(name: string, password: string): boolean {
  const known = DEFAULT_PASSWORDS[name]
  return known !== undefined && (password === known || password.toUpperCase() === nativeHash(known))
}

/** A password that has been saved to disk is a hash from then on. */
function secretOf(password: string): Secret {
  if (password === '') return { kind: 'none' }
  if (parseNativeHash(password) !== undefined) return { kind: 'native_hash', hash: password }
  return { kind: 'clear', password }
}
