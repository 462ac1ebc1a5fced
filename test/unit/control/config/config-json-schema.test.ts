import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { readConfigDocument } from '../../../../src/control/config/config-file.js'
import { CONFIG_SCHEMA } from '../../../../src/control/config/config-schema.js'
import { configJsonSchema } from '../../../helpers/config-json-schema.js'

const page = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8')
const FILE = fileURLToPath(new URL('../../../../docs/sluice.schema.json', import.meta.url))
const schema = configJsonSchema(page)

it('docs/sluice.schema.json is what the schema and docs/configuration.md make of it (written anew by vitest --update)', async () => {
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot(FILE)
})

it('every key of the schema has a description', () => {
  const without: string[] = []
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [key, value] of Object.entries(node)) {
      if (key !== 'properties') walk(value, path)
      else
        for (const [name, property] of Object.entries(value as Record<string, { description?: string }>)) {
          if (property.description === undefined) without.push(`${path}${name}`)
          walk(property, `${path}${name}.`)
        }
    }
  }
  walk(schema, '')
  expect(without).toEqual([])
})

describe('an editor and Sluice', () => {
  const editor = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
  const server = 'servers: [{ host: a }]\n'

  it.each([
    server,
    `${server}workers: 4`,
    `${server}workers: auto\nlisten: [127.0.0.1:6033, "unix:/run/s.sock"]`,
    `${server}workers: "\${WORKERS}"`,
    'servers:\n  - { host: 10.0.0.1, port: "3306", hostgroup: 0, status: online, use_ssl: 1, max_replication_lag: 500ms }',
    `${server}monitor: { user: m, password: 0123, ping_interval: 200 }`,
    `${server}users: [{ name: app, password: "\${APP}", consistency: STRONG }]`,
    `${server}tls: { mode: off }\nmetrics: ~\nadmin:\n`,
    `${server}admin: { users: { admin: 12345 } }\napi: { token: "\${TOKEN}" }`,
    `${server}consistency: { pin: session }\nmultiplexing: false`,
    `${server}replication_hostgroups: [{ writer: 0, reader: 1 }]`,
  ])('both take %j', (text) => {
    const env = { WORKERS: '2', APP: 'x', TOKEN: 'a-token-of-twenty-two-c' }
    expect(CONFIG_SCHEMA.safeParse(readConfigDocument(text, 'f', env).value).error?.issues).toBeUndefined()
    expect(editor.safeParse(parse(text)).error?.issues).toBeUndefined()
  })

  it.each([
    'workers: 4',
    `${server}worker: 4`,
    `${server}workers: 65`,
    `${server}workers: many`,
    `${server}servers: {}`,
    'servers: [{ port: 1 }]',
    'servers: [{ host: a, weight: -1 }]',
    'servers: [{ host: a, wieght: 1 }]',
    'servers: [{ host: a, status: SLOW }]',
    `${server}limits: { max_connections: 0 }`,
    `${server}limits: []`,
    `${server}multiplexing: perhaps`,
    `${server}listen: []`,
  ])('both refuse %j', (text) => {
    const value = parse(text, { uniqueKeys: false })
    const asText = readTexts(value)
    expect(CONFIG_SCHEMA.safeParse(asText).success).toBe(false)
    expect(editor.safeParse(value).success).toBe(false)
  })
})

/** As Sluice reads a file: every scalar a text. */
function readTexts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readTexts)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, readTexts(item)]))
  return String(value)
}
