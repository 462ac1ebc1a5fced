/** Figures for people: at most six columns each, one unit that anybody reads at a glance. */

/** `0`, `0.4`, `12.3`, `812`, `1.2k`, `45k`, `3.1M`. */
export function count(value: number): string {
  if (value === 0) return '0'
  if (value < 0.05) return '<0.1'
  if (value < 99.95) return trimmed(value)
  if (value < 999.5) return String(Math.round(value))
  if (value < 999_500) return `${short(value / 1e3)}k`
  return value < 999.5e6 ? `${short(value / 1e6)}M` : `${short(value / 1e9)}G`
}

/** Bytes with a unit: `0B`, `812B`, `1.2kB`, `3.1MB`. */
export function bytes(value: number): string {
  if (value < 999.5) return `${Math.round(value)}B`
  if (value < 999_500) return `${short(value / 1e3)}kB`
  return value < 999.5e6 ? `${short(value / 1e6)}MB` : `${short(value / 1e9)}GB`
}

/** A time: `812us`, `1.2ms`, `3.4s`, `5m12s`, `3h04m`, `2d03h`. */
export function duration(us: number): string {
  if (us < 999.5) return `${Math.round(us)}us`
  if (us < 999_500) return `${short(us / 1e3)}ms`
  if (us < 99_500_000) return `${short(us / 1e6)}s`
  const seconds = Math.round(us / 1e6)
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${two(Math.floor((seconds % 3600) / 60))}m`
  return `${Math.floor(seconds / 86_400)}d${two(Math.floor((seconds % 86_400) / 3600))}h`
}

export function percent(share: number): string {
  return `${Math.round(share * 100)}%`
}

function short(value: number): string {
  return value < 9.95 ? value.toFixed(1) : String(Math.round(value))
}

function trimmed(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '')
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
