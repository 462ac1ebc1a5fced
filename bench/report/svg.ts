import type { Spread } from '../stats/spread.js'
import { number } from './format.js'
import type { Report } from './report.js'

/** Bars with whiskers, side by side, without a library: median as bar, smallest and largest round as whisker. */

export interface Panel {
  readonly title: string
  readonly bars: readonly { readonly label: string; readonly value: Spread | null }[]
}

const PANEL_WIDTH = 300
const PANEL_GAP = 30
const MARGIN = 20
const TITLE_HEIGHT = 60
const PLOT_HEIGHT = 220
const LABEL_HEIGHT = 30
const HEADROOM = 1.15
const COLOURS = ['#4c78a8', '#9d9d9d', '#2a9d6f', '#e07b39', '#8a63b0', '#c94f6d']
const FONT = 'font-family="system-ui, sans-serif"'

export function panelsOf(report: Report): Panel[] {
  const perSecond = report.unit === 'MB' ? 'MB per second' : 'queries per second'
  const exact = (value: number): Spread => ({ median: value, min: value, max: value })
  return [
    { title: perSecond, bars: report.targets.map(({ target, throughput }) => ({ label: target, value: throughput })) },
    {
      title: `proxy CPU, us per ${report.unit}`,
      bars: report.targets.map(({ target, proxyCpu }) => ({ label: target, value: proxyCpu })),
    },
    {
      title: `p99 latency per ${report.operation}, ms`,
      bars: report.targets.map(({ target, latencyMs }) => ({ label: target, value: exact(latencyMs.p99) })),
    },
  ]
}

/** An SVG document with all panels in a row. The same label has the same colour in each. */
export function toSvg(heading: string, panels: readonly Panel[]): string {
  const width = 2 * MARGIN + panels.length * PANEL_WIDTH + (panels.length - 1) * PANEL_GAP
  const height = TITLE_HEIGHT + PLOT_HEIGHT + LABEL_HEIGHT + MARGIN
  const body = panels.map((panel, index) => panelSvg(panel, MARGIN + index * (PANEL_WIDTH + PANEL_GAP)))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${FONT}>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(MARGIN, 24, heading, 'font-size="15" font-weight="600"'),
    ...body,
    '</svg>',
    '',
  ].join('\n')
}

function panelSvg({ title, bars }: Panel, left: number): string {
  const bottom = TITLE_HEIGHT + PLOT_HEIGHT
  const largest = Math.max(0, ...bars.map(({ value }) => value?.max ?? 0)) * HEADROOM || 1
  const y = (value: number) => bottom - (value / largest) * PLOT_HEIGHT
  const slot = PANEL_WIDTH / Math.max(1, bars.length)
  const parts = [text(left, TITLE_HEIGHT - 12, title, 'font-size="12" fill="#555555"')]
  bars.forEach(({ label, value }, index) => {
    const centre = left + slot * (index + 0.5)
    parts.push(text(centre, bottom + 18, label, 'font-size="12" text-anchor="middle"'))
    if (value === null) {
      parts.push(text(centre, bottom - 6, 'not measured', 'font-size="10" text-anchor="middle" fill="#888888"'))
      return
    }
    parts.push(bar(centre, Math.min(slot * 0.6, 70), y(value.median), bottom, COLOURS[index % COLOURS.length]))
    if (value.min !== value.max) parts.push(whisker(centre, y(value.min), y(value.max)))
    parts.push(text(centre, y(value.max) - 6, number(value.median), 'font-size="12" text-anchor="middle"'))
  })
  parts.push(line(left, bottom, left + PANEL_WIDTH, bottom, '#888888'))
  return parts.join('\n')
}

function bar(centre: number, width: number, top: number, bottom: number, colour: string): string {
  return `<rect x="${px(centre - width / 2)}" y="${px(top)}" width="${px(width)}" height="${px(bottom - top)}" fill="${colour}"/>`
}

function whisker(centre: number, low: number, high: number): string {
  const cap = 6
  return [
    line(centre, low, centre, high, '#222222'),
    line(centre - cap, low, centre + cap, low, '#222222'),
    line(centre - cap, high, centre + cap, high, '#222222'),
  ].join('\n')
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="${colour}"/>`
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${px(x)}" y="${px(y)}" ${attributes}>${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function px(value: number): string {
  return value.toFixed(1)
}
