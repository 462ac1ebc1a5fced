import type { Spread } from '../stats/spread.js'

/** Three significant digits, thousands kept whole: `41,230`, `12.3`, `0.91`. */
export function number(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US')
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/** `median (min - max)`, or a dash where nothing was measured. */
export function spread(value: Spread | null, format: (value: number) => string = number): string {
  if (value === null) return '-'
  return value.min === value.max
    ? format(value.median)
    : `${format(value.median)} (${format(value.min)} - ${format(value.max)})`
}
