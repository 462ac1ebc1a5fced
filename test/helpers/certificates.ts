import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { afterAll } from 'vitest'

export interface Certificate {
  /** PEM. */
  readonly cert: string
  readonly key: string
}

export interface CertificateOptions {
  readonly names?: readonly string[]
  readonly addresses?: readonly string[]
  /** Days from now; -10 to -1 has expired. */
  readonly from?: number
  readonly to?: number
}

const DAY_MS = 86_400_000
const EC = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const
const folders: string[] = []

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A certificate authority. */
export async function makeAuthority(name: string): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: name }], {
    ...EC,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  return { cert: made.cert, key: made.private }
}

/** A certificate for a server or a client, signed by an authority, or by itself. */
export async function makeCertificate(
  name: string,
  authority: Certificate | null,
  { names = [], addresses = [], from = -1, to = 30 }: CertificateOptions = {},
): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: name }], {
    ...EC,
    notBeforeDate: new Date(Date.now() + from * DAY_MS),
    notAfterDate: new Date(Date.now() + to * DAY_MS),
    ...(authority !== null && { ca: { cert: authority.cert, key: authority.key } }),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...[...names, `${name}.test`].map((value) => ({ type: 2 as const, value })),
          ...addresses.map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  })
  return { cert: made.cert, key: made.private }
}

/** Writes PEM texts into a folder of their own, which is removed after the file's tests; returns their paths. */
export function pemFiles<K extends string>(texts: Readonly<Record<K, string>>): Record<K, string> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-pem-'))
  folders.push(folder)
  const paths = {} as Record<K, string>
  for (const [name, text] of Object.entries(texts) as [K, string][]) {
    paths[name] = join(folder, `${name}.pem`)
    writeFileSync(paths[name], text, { mode: 0o644 })
  }
  return paths
}
