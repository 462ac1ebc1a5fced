import { join } from 'node:path'
import type { Peer, PeerPlaces } from './peer.js'

/** Forwards bytes. */
const haproxy: Peer = {
  name: 'haproxy',
  packages: { names: ['haproxy'] },
  program: 'usr/sbin/haproxy',
  libraries: [],
  args: (file) => ['-db', '-f', file],
  configuration: ({ server, port, threads }) => `global
  nbthread ${threads}
  fd-hard-limit 50000
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
frontend clients
  bind 127.0.0.1:${port}
  default_backend servers
backend servers
  server primary ${server.host}:${server.port}
`,
}

/** Forwards bytes once a client has logged in: with PASSTHROUGH it looks at nothing behind the greeting. */
const router = mysqlRouter('router', 'client_ssl_mode=PASSTHROUGH')

/**
 * Follows the protocol. It shares server connections only of clients whose password it has, which it gets over TLS alone: those of the
 * bench keep theirs, so that this is what it costs to be ready to share.
 */
const routerSharing = mysqlRouter(
  'router-sharing',
  'client_ssl_mode=DISABLED\nserver_ssl_mode=DISABLED\nconnection_sharing=1',
)

function mysqlRouter(name: string, mode: string): Peer {
  return {
    name,
    packages: { names: ['mysql-router'], suite: 'sid' },
    program: 'usr/bin/mysqlrouter',
    libraries: ['usr/lib/mysql-router'],
    args: (file) => ['-c', file],
    configuration: ({ server, port, dir, prefix, threads }: PeerPlaces) => `[DEFAULT]
logging_folder=${dir}
runtime_folder=${dir}
data_folder=${dir}
plugin_folder=${join(prefix, 'usr/lib/mysqlrouter/plugin')}
max_total_connections=20000
[logger]
level=WARNING
[io]
threads=${threads}
[connection_pool]
max_idle_server_connections=64
[routing:clients]
bind_address=127.0.0.1
bind_port=${port}
destinations=${server.host}:${server.port}
routing_strategy=first-available
protocol=classic
${mode}
`,
  }
}

/** By the option that asks for them. */
export const PEERS = { haproxy: [haproxy], router: [router, routerSharing] } as const
