/**
 * An error that Sluice itself answers to a client. The text begins with `sluice: ` unless it is a text that applications
 * already know from MySQL or ProxySQL (1040, 1045, 1153, 9001 ...), so that nobody mistakes it for the server's.
 */
export class ProxyError extends Error {
  readonly errno: number
  /** Five characters, without the `#`. */
  readonly sqlState: string
  /** Stable short name for logs and metrics, in kebab-case. */
  readonly code: string

  constructor(code: string, errno: number, sqlState: string, message: string) {
    super(message)
    this.name = 'ProxyError'
    this.code = code
    this.errno = errno
    this.sqlState = sqlState
  }
}

/** Something that cannot happen did: our bug. It ends one session, is counted, and is logged with what reproduces it. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'InvariantError'
  }
}

/** Bad input of an operator (configuration, flags, state of the machine): one line, exit status 2, nothing started. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}
