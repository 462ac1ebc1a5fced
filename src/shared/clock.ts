/**
 * Milliseconds on the machine's monotonic clock (CLOCK_MONOTONIC). All processes of one machine read the same clock, so
 * a time taken by the control plane can be compared with one taken by a worker. It never jumps; it is not a date.
 */
export function monotonicMs(): number {
  return performance.now() + SINCE_BOOT_MS
}

/** `performance.now()` reads the same clock from another zero, and needs no big integers: it is asked for every query. */
const SINCE_BOOT_MS = sinceBoot()

/** The two are read one after the other, and a process may be stopped in between: the closest of several readings counts. */
function sinceBoot(): number {
  let closest = Number.NEGATIVE_INFINITY
  for (let i = 0; i < 8; i++) closest = Math.max(closest, Number(process.hrtime.bigint()) / 1e6 - performance.now())
  return closest
}

/** The same clock in whole microseconds; exact for 285 years of uptime. */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000_000 + Math.trunc(nanoseconds / 1000)
}
