import { readFileSync } from 'node:fs'
import { formatListenAddress, parseListenAddress } from '../control/config/addresses.js'
import { readConfigDocument } from '../control/config/config-file.js'
import { CONFIG_SCHEMA } from '../control/config/config-schema.js'
import { UsageError } from '../shared/errors.js'
import type { ListenAddress } from '../shared/snapshot.js'
import { DEFAULT_HOST, DEFAULT_PORT, DEFAULT_USER, type EndpointFlags, PASSWORD_VARIABLE } from './endpoint-flags.js'

/** Where the admin port is, and as whom to log in. */
export interface AdminEndpoint {
  readonly address: ListenAddress
  readonly user: string
  /** null: nobody has named one, so the account's default is tried and then a person asked. */
  readonly password: string | null
}

const PASSWORD_FILE_BYTES_MAX = 4096

/**
 * Flags come first, then the configuration file, then the defaults; of passwords the flag, the file named by a flag,
 * `SLUICE_ADMIN_PASSWORD`, the configuration file. Throws UsageError.
 */
export function readEndpoint(flags: EndpointFlags, env: NodeJS.ProcessEnv): AdminEndpoint {
  if (flags.password !== undefined && flags.passwordFile !== undefined)
    throw new UsageError('expected either --password or --password-file')
  const configured = flags.config === undefined ? null : readAdminSection(flags.config, env)
  const user = flags.user ?? configured?.user ?? DEFAULT_USER
  const given = flags.password ?? (flags.passwordFile === undefined ? undefined : readPassword(flags.passwordFile))
  return {
    address: readAddress(flags, configured?.address),
    user,
    password: given ?? env[PASSWORD_VARIABLE] ?? configured?.passwordOf(user) ?? null,
  }
}

/** As people write it: `admin@127.0.0.1:6032`. */
export function formatEndpoint({ address, user }: AdminEndpoint): string {
  return `${user}@${formatListenAddress(address)}`
}

function readAddress({ host, port }: EndpointFlags, configured: ListenAddress | undefined): ListenAddress {
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535))
    throw new UsageError('--port: expected a whole number from 1 to 65535')
  if (host?.startsWith('unix:') === true) {
    const socket = parseListenAddress(host)
    if (socket === null) throw new UsageError(`--host: expected unix: and an absolute path, got "${host}"`)
    return socket
  }
  if (host === '') throw new UsageError('--host: expected a host name, an IP address or unix:/path, got nothing')
  if (host === undefined && port === undefined && configured !== undefined) return configured
  return {
    host: host?.replace(/^\[(.*)\]$/, '$1') ?? configured?.host ?? DEFAULT_HOST,
    port: port ?? configured?.port ?? DEFAULT_PORT,
  }
}

function readPassword(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new UsageError(`--password-file: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  if (text.length > PASSWORD_FILE_BYTES_MAX)
    throw new UsageError(`--password-file: ${path}: expected one line of at most ${PASSWORD_FILE_BYTES_MAX} bytes`)
  return text.split(/\r?\n/, 1)[0]
}

/** Stands for a variable of the environment that is not set here: only the one that is needed has to be. */
const UNSET = '\u0000'

function readAdminSection(path: string, env: NodeJS.ProcessEnv) {
  const document = readConfigDocument(readText(path), path, forgiving(env))
  const value = (document.value as Record<string, unknown> | null | undefined)?.['admin']
  if (value === undefined) throw new UsageError(`${path}: no admin port is configured; expected the key admin`)
  const parsed = CONFIG_SCHEMA.shape.admin.safeParse(value)
  if (!parsed.success) {
    const { path: at, message } = parsed.error.issues[0]
    return document.fail(['admin', ...(at as (string | number)[])], message)
  }
  const { listen, users } = parsed.data ?? document.fail(['admin'], 'expected a map of keys')
  const names = Object.keys(users)
  const user = names.includes(DEFAULT_USER) ? DEFAULT_USER : (names.find((name) => name !== 'stats') ?? names[0])
  const passwordOf = (name: string): string | undefined => {
    const password = Object.hasOwn(users, name) ? users[name] : undefined
    if (password?.includes(UNSET) === true)
      document.fail(
        ['admin', 'users', name],
        `its environment variable is not set here; expected it, or ${PASSWORD_VARIABLE}`,
      )
    return password
  }
  return { address: reachable(listen[0]), user, passwordOf }
}

/** A port that listens on every interface is reached over the local one. */
function reachable(address: ListenAddress): ListenAddress {
  if (address.host === '::') return { ...address, host: DEFAULT_HOST }
  return address.host === '0.0.0.0' ? { ...address, host: DEFAULT_HOST } : address
}

function forgiving(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return new Proxy(env, { get: (target, name) => target[String(name)] ?? UNSET })
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(`${path}: ${code === 'ENOENT' ? 'no such file' : `cannot be read (${code})`}`)
  }
}
