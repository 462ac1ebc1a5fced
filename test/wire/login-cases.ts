import type { ServerName } from './cases.js'

/* Logins to record with the servers' own clients. One note for every packet that is kept, of both directions. */

export interface LoginStep {
  name: string
  /** SQL that root runs before. */
  before?: string[]
  /** All connections are taken meanwhile. */
  full?: boolean
  /** Whose client; the server's own unless given. */
  client?: ServerName
  arguments: string[]
  user: string
  password: string
  packets: string[]
}

const GREETING = 'greeting'
const RESPONSE = 'handshake response'
const PASSWORD = 'pässword'

export const LOGINS: Record<ServerName, LoginStep[]> = {
  mysql: [
    {
      name: 'caching_sha2_password, full authentication by RSA, then OK',
      before: [
        'DROP USER IF EXISTS wire_sha2, wire_empty, wire_sha256',
        `CREATE USER wire_sha2 IDENTIFIED WITH caching_sha2_password BY '${PASSWORD}'`,
        `CREATE USER wire_sha256 IDENTIFIED WITH sha256_password BY '${PASSWORD}'`,
        'CREATE USER wire_empty',
        'FLUSH PRIVILEGES',
      ],
      arguments: ['--ssl-mode=DISABLED', '--get-server-public-key'],
      user: 'wire_sha2',
      password: PASSWORD,
      packets: [GREETING, RESPONSE, 'full authentication', 'key request', 'public key', 'encrypted password', 'ok'],
    },
    {
      name: 'caching_sha2_password, fast path',
      arguments: ['--ssl-mode=DISABLED'],
      user: 'wire_sha2',
      password: PASSWORD,
      packets: [GREETING, RESPONSE, 'fast authentication', 'ok'],
    },
    {
      name: 'caching_sha2_password, wrong password',
      arguments: ['--ssl-mode=DISABLED', '--get-server-public-key'],
      user: 'wire_sha2',
      password: 'wrong',
      packets: [
        GREETING,
        RESPONSE,
        'full authentication',
        'key request',
        'public key',
        'encrypted password',
        "err 1045 28000 Access denied for user 'wire_sha2'@'localhost' (using password: YES)",
      ],
    },
    {
      name: 'an empty password',
      arguments: ['--ssl-mode=DISABLED'],
      user: 'wire_empty',
      password: '',
      packets: [GREETING, RESPONSE, 'ok'],
    },
    {
      name: 'no password where one is needed',
      arguments: ['--ssl-mode=DISABLED'],
      user: 'wire_sha2',
      password: '',
      packets: [
        GREETING,
        RESPONSE,
        "err 1045 28000 Access denied for user 'wire_sha2'@'localhost' (using password: NO)",
      ],
    },
    {
      name: 'an unknown user',
      arguments: ['--ssl-mode=DISABLED', '--get-server-public-key'],
      user: 'wire_nobody',
      password: PASSWORD,
      packets: [
        GREETING,
        RESPONSE,
        'full authentication',
        'key request',
        'public key',
        'encrypted password',
        "err 1045 28000 Access denied for user 'wire_nobody'@'localhost' (using password: YES)",
      ],
    },
    {
      name: 'sha256_password after an auth switch',
      arguments: ['--ssl-mode=DISABLED', '--get-server-public-key'],
      user: 'wire_sha256',
      password: PASSWORD,
      packets: [GREETING, RESPONSE, 'auth switch', 'key request', 'public key', 'encrypted password', 'ok'],
    },
    {
      name: 'an unknown schema',
      arguments: ['--ssl-mode=DISABLED', '--database=wire_nowhere'],
      user: 'wire_sha2',
      password: PASSWORD,
      packets: [
        GREETING,
        RESPONSE,
        'fast authentication',
        "err 1044 42000 Access denied for user 'wire_sha2'@'%' to database 'wire_nowhere'",
      ],
    },
    {
      name: 'a request for TLS',
      arguments: ['--ssl-mode=REQUIRED'],
      user: 'wire_sha2',
      password: PASSWORD,
      packets: [GREETING, 'request for TLS'],
    },
    {
      name: 'too many connections',
      full: true,
      arguments: ['--ssl-mode=DISABLED'],
      user: 'wire_empty',
      password: '',
      packets: ['err 1040 HY000 Too many connections'],
    },
  ],
  mariadb: [
    {
      name: 'mysql_native_password',
      before: [
        'DROP USER IF EXISTS wire_native, wire_empty',
        `CREATE USER wire_native IDENTIFIED BY '${PASSWORD}'`,
        'CREATE USER wire_empty',
      ],
      arguments: [],
      user: 'wire_native',
      password: PASSWORD,
      packets: [GREETING, RESPONSE, 'ok'],
    },
    {
      name: 'mysql_native_password, wrong password',
      arguments: [],
      user: 'wire_native',
      password: 'wrong',
      packets: [
        GREETING,
        RESPONSE,
        "err 1045 28000 Access denied for user 'wire_native'@'localhost' (using password: YES)",
      ],
    },
    {
      name: 'an empty password',
      arguments: [],
      user: 'wire_empty',
      password: '',
      packets: [GREETING, RESPONSE, 'ok'],
    },
    {
      name: 'mysql_native_password after an auth switch',
      client: 'mysql',
      arguments: ['--ssl-mode=DISABLED', '--default-auth=caching_sha2_password'],
      user: 'wire_native',
      password: PASSWORD,
      packets: [GREETING, RESPONSE, 'auth switch', 'answer', 'ok'],
    },
    {
      name: 'too many connections',
      full: true,
      arguments: [],
      user: 'wire_empty',
      password: '',
      packets: ['err 1040 HY000 Too many connections'],
    },
  ],
}
