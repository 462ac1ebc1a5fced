/**
 * Life of a backend connection.
 *
 *   connecting: TCP (or socket) connect and TLS
 *   auth:       the login exchange
 *   syncing:    Sluice's own statements run on it (session state, tracking) before the client's next command
 *   idle:       logged in, no client's command in flight: a session's, or at rest in the pool
 *   busy:       a client's command is in flight
 *   closing:    COM_QUIT sent or socket being ended
 *   closed:     gone; final
 *
 * A transaction is a fact of the session, not a state of the connection.
 */
export type BackendState = 'connecting' | 'auth' | 'idle' | 'syncing' | 'busy' | 'closing' | 'closed'

export const NEXT: Readonly<Record<BackendState, readonly BackendState[]>> = {
  connecting: ['auth', 'closing', 'closed'],
  auth: ['idle', 'closing', 'closed'],
  idle: ['syncing', 'busy', 'closing', 'closed'],
  syncing: ['idle', 'busy', 'closing', 'closed'],
  busy: ['idle', 'syncing', 'closing', 'closed'],
  closing: ['closed'],
  closed: [],
}

/** States in which a connection counts as in use on the server (stats_mysql_connection_pool.ConnUsed). */
export function isOpen(state: BackendState): boolean {
  return state === 'idle' || state === 'syncing' || state === 'busy'
}
