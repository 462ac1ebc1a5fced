import type { Argv } from 'yargs'

export interface EndpointFlags {
  readonly config?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly passwordFile?: string | undefined
}

export const PASSWORD_VARIABLE = 'SLUICE_ADMIN_PASSWORD'
export const DEFAULT_HOST = '127.0.0.1'
export const DEFAULT_PORT = 6032
export const DEFAULT_USER = 'admin'

/** The flags of every command that talks to the admin port. */
export function endpointOptions<T>(yargs: Argv<T>) {
  return yargs
    .option('config', {
      type: 'string',
      requiresArg: true,
      describe: 'Configuration file that names address and account of the admin port',
    })
    .option('host', {
      type: 'string',
      requiresArg: true,
      describe: 'Host of the admin port, or unix:/path',
      defaultDescription: DEFAULT_HOST,
    })
    .option('port', { type: 'number', requiresArg: true, describe: 'Its port', defaultDescription: `${DEFAULT_PORT}` })
    .option('user', { type: 'string', requiresArg: true, describe: 'Account', defaultDescription: DEFAULT_USER })
    .option('password', {
      type: 'string',
      requiresArg: true,
      describe: `Password; other users of this machine can see it in the list of processes (better: --password-file or ${PASSWORD_VARIABLE})`,
    })
    .option('password-file', { type: 'string', requiresArg: true, describe: 'File whose first line is the password' })
}
