import { type Logger, type LoggerOptions, pino } from 'pino'
import { default as pretty } from 'pino-pretty'

export type { Logger } from 'pino'

/** Keys whose values never reach a log, wherever in a logged object they stand. */
const SECRET_KEYS = ['password', 'passwd', 'secret', 'token', 'key', 'authResponse', 'scramble']

/**
 * The process's logger: JSON lines, or readable text when the output is a terminal. `SLUICE_LOG_LEVEL` (trace, debug,
 * info, warn, error, fatal, silent) sets the level, `info` unless told. Secrets are replaced by `[secret]`.
 */
export function createLogger(name: string, bindings: Record<string, unknown> = {}): Logger {
  const options: LoggerOptions = {
    level: process.env['SLUICE_LOG_LEVEL'] ?? 'info',
    base: { name, ...bindings },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]), censor: '[secret]' },
  }
  // Synchronous on purpose: the last line before an exit is the one that somebody will need.
  if (!process.stderr.isTTY) return pino(options, pino.destination({ dest: 2, sync: true }))
  return pino(options, pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }))
}
