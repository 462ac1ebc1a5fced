import { stringify } from 'yaml'
import type { ConfigStore } from './store.js'

const HIDDEN = '********'
const SECRET_KEYS: readonly string[] = ['password', 'password_hash', 'backend_password', 'token']

/** The memory's configuration as a configuration file has it. `hidden`: without its passwords. */
export function configText(store: ConfigStore, secrets: 'hidden' | 'shown'): string {
  const values = store.memoryValues()
  return stringify(secrets === 'hidden' ? hide(values, []) : plain(values), { lineWidth: 0 })
}

/** Texts are written so that they are read as the same texts again. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) return mapValues(value, plain)
  if (typeof value !== 'string') return value
  if (/^(0|[1-9]\d{0,14})$/.test(value)) return Number(value)
  if (value === 'true' || value === 'false') return value === 'true'
  return value.replaceAll('${', () => '$${')
}

function hide(value: unknown, path: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => hide(item, path))
  if (typeof value === 'object' && value !== null) return mapValues(value, (item, key) => hide(item, [...path, key]))
  const isAccount = path[0] === 'admin' && (path[1] === 'users' || path[1] === 'stats_users')
  return isAccount || SECRET_KEYS.includes(path.at(-1) ?? '') ? HIDDEN : plain(value)
}

function mapValues(map: object, change: (value: unknown, key: string) => unknown): Record<string, unknown> {
  const entries = Object.entries(map).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries.map(([key, value]) => [key, change(value, key)]))
}
