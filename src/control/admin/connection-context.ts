import type { SecureContext } from 'node:tls'
import type { RsaKeyPair } from '../../../protocol/index.js'
import type { Logger } from '../../shared/log.js'
import type { AdminExecutor } from './executor.js'
import type { LoginGuard } from './login-guard.js'

/** What all connections of the port share. */
export interface ConnectionContext {
  /** Password by account name, in clear. */
  readonly users: Readonly<Record<string, string>>
  readonly guard: LoginGuard
  readonly executor: AdminExecutor
  /** null: there is no certificate, TLS is not offered. */
  readonly tls: () => SecureContext | null
  readonly rsaKeyPair: () => RsaKeyPair
  readonly log: Logger
  readonly closed: (connection: { close(): void }) => void
}
