/**
 * Milliseconds on the machine's monotonic clock (CLOCK_MONOTONIC). All processes of one machine read the same clock, so
 * a time taken by the control plane can be compared with one taken by a worker. It never jumps; it is not a date.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

/** The same clock in whole microseconds; exact for 285 years of uptime. */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000_000 + Math.trunc(nanoseconds / 1000)
}
