import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One packet as it went over the wire, header included. */
export interface CapturedPacket {
  from: 'client' | 'server'
  hex: string
  /** Written by hand, in the words of describe.ts: what the packet says. */
  note: string
}

/** One command and its answer, or one login. */
export interface Exchange {
  name: string
  /** How the answer is to be read; see `Answer` in protocol/response.ts. `none`: no answer. */
  answer: 'results' | 'prepare' | 'rows' | 'single' | 'fieldList' | 'cursor' | 'none' | 'login'
  packets: CapturedPacket[]
  /** Of logins only. */
  user?: string
  password?: string
}

export interface Capture {
  title: string
  /** Version that the server gave in its greeting. */
  server: string
  /** What both sides had negotiated, hexadecimal. Logins carry it in their packets. */
  capabilities: string
  mariadbCapabilities: string
  exchanges: Exchange[]
}

const FOLDER = fileURLToPath(new URL('./captures/', import.meta.url))

export function loadCaptures(): { file: string; capture: Capture }[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'))
  return files.sort().map((file) => ({ file, capture: JSON.parse(readFileSync(FOLDER + file, 'utf8')) }))
}

/** JSON with one packet per line, so that a new recording shows well what has changed. */
export function formatCapture(capture: Capture): string {
  const { exchanges, ...head } = capture
  const lines = exchanges.map(({ packets, ...exchange }) => {
    const packetLines = packets.map((packet) => `        ${JSON.stringify(packet)}`)
    return `    {\n      ${JSON.stringify(exchange).slice(1, -1)},\n      "packets": [\n${packetLines.join(',\n')}\n      ]\n    }`
  })
  return `{\n  ${JSON.stringify(head).slice(1, -1)},\n  "exchanges": [\n${lines.join(',\n')}\n  ]\n}\n`
}

export function captureFile(name: string): string {
  return `${FOLDER}${name}.json`
}
