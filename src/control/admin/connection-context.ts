import type { RsaKeyPair } from '../../../protocol/index.js'
import type { ServerTlsContext } from '../../shared/client-tls.js'
import type { Logger } from '../../shared/log.js'
import type { LoginThrottle } from '../../shared/login-throttle.js'
import type { AuditLog } from '../audit-log.js'
import type { AdminConfig } from '../config/config-schema.js'
import type { NewEvent } from '../event-log.js'
import type { AdminExecutor } from './executor.js'
import type { StatementGuard } from './guard.js'

/** What all connections of the port share. */
export interface ConnectionContext {
  /** Accounts as they are configured now. */
  readonly accounts: () => AdminConfig
  readonly throttle: LoginThrottle
  readonly executor: AdminExecutor
  readonly guard: StatementGuard
  readonly audit: Pick<AuditLog, 'write'>
  /** Tells of what operators should see. */
  readonly note: (event: NewEvent) => void
  /** As towards clients of the proxy; null: TLS is not offered. */
  readonly tls: () => ServerTlsContext | null
  readonly rsaKeyPair: () => RsaKeyPair
  readonly log: Logger
  readonly closed: (connection: { close(): void }) => void
}
