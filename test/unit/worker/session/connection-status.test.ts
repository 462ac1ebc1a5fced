import { describe, expect, it } from 'vitest'
import { Capability, Command, decodeTextRow, frame } from '../../../../protocol/index.js'
import type { Flavor } from '../../../../src/shared/snapshot.js'
import { Effect, StatementKind } from '../../../../src/sql/index.js'
import type { Execution } from '../../../../src/worker/execution/execution.js'
import { COMMAND_RULES, CommandInHand } from '../../../../src/worker/session/command.js'
import { type Connection, connectionStatus } from '../../../../src/worker/session/connection-status.js'
import { SessionFacts } from '../../../../src/worker/session/session-facts.js'
import { SessionState } from '../../../../src/worker/state/session-state.js'
import { USER } from '../fixture.js'

const ENCRYPTED: Connection = { cipher: { name: 'TLS_AES_256_GCM_SHA384', protocol: 'TLSv1.3' }, compressionLevel: 3 }
const PLAIN: Connection = { cipher: null, compressionLevel: 0 }

interface How {
  client?: Connection
  capabilities?: number
  flavor?: Flavor
  change?: (state: SessionState) => void
}

/** The row of the answer to a text; null: a server is asked. */
function rowOf(sql: string, { client = ENCRYPTED, capabilities = 0, flavor = 'mysql', change }: How = {}) {
  const command = new CommandInHand()
  const packet = frame(Buffer.concat([Buffer.of(Command.QUERY), Buffer.from(sql)]), 0)
  command.take(packet, 4, packet.length, COMMAND_RULES.get(Command.QUERY)!, 0)
  command.kind = StatementKind.diagnostics
  command.effects = Effect.readsDiagnostics
  const state = new SessionState('')
  change?.(state)
  const text = { capabilities: capabilities | Capability.DEPRECATE_EOF, mariadbCapabilities: 0, textStart: () => 5 }
  const execution = { command, text, state, facts: new SessionFacts(USER) } as unknown as Execution
  const answer = connectionStatus(execution, client, flavor)
  if (answer === null) return null
  const packets: Buffer[] = []
  for (let at = 0; at < answer.length; at += 4 + answer.readUIntLE(at, 3)) {
    packets.push(answer.subarray(at + 4, at + 4 + answer.readUIntLE(at, 3)))
  }
  return decodeTextRow(packets[3], 2).map(String)
}

describe('SHOW STATUS of what a client has agreed on', () => {
  it('tells the cipher and protocol of the client, not those of a connection to a server', () => {
    expect(rowOf("SHOW STATUS LIKE 'Ssl_cipher'")).toEqual(['Ssl_cipher', 'TLS_AES_256_GCM_SHA384'])
    expect(rowOf("show session status like 'SSL_VERSION';")).toEqual(['Ssl_version', 'TLSv1.3'])
    expect(rowOf("SHOW STATUS LIKE 'Ssl_cipher'", { client: PLAIN })).toEqual(['Ssl_cipher', ''])
  })

  it('tells the compression', () => {
    const capabilities = Capability.ZSTD_COMPRESSION_ALGORITHM
    expect(rowOf("SHOW STATUS LIKE 'Compression'", { capabilities })).toEqual(['Compression', 'ON'])
    expect(rowOf("SHOW STATUS WHERE variable_name = 'Compression_algorithm'", { capabilities })).toEqual([
      'Compression_algorithm',
      'zstd',
    ])
    expect(rowOf('SHOW STATUS LIKE "Compression_level"', { capabilities })).toEqual(['Compression_level', '3'])
    expect(rowOf("SHOW STATUS LIKE 'Compression'", { client: PLAIN })).toEqual(['Compression', 'OFF'])
  })

  it.each([
    "SHOW GLOBAL STATUS LIKE 'Ssl_cipher'",
    "SHOW STATUS LIKE 'Ssl%'",
    "SHOW STATUS LIKE 'Ssl_accepts'",
    'SHOW STATUS',
    "SHOW STATUS WHERE Variable_name = 'Ssl_cipher' OR Value = '1'",
    'SHOW WARNINGS',
  ])('leaves to the server: %s', (sql) => {
    expect(rowOf(sql)).toBeNull()
  })

  it('leaves to MariaDB what it does not know, and to any server what is to be in a character set like UTF-16', () => {
    expect(rowOf("SHOW STATUS LIKE 'Compression_level'", { flavor: 'mariadb' })).toBeNull()
    const change = (state: SessionState) => state.setVariable('character_set_results', 'utf16')
    expect(rowOf("SHOW STATUS LIKE 'Ssl_cipher'", { change })).toBeNull()
  })
})
