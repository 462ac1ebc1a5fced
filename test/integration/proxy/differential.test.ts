import { beforeAll, describe, expect, it } from 'vitest'
import { Answer, Capability, Command, encodeCommand } from '../../../protocol/index.js'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES, payloads, RawClient } from '../../helpers/raw-client.js'
import { readStatements, type Step } from './statement-file.js'

/** Its name is part of many answers, so both runs use the same one, one after the other. */
const SCHEMA = 'differential'
const FILES = ['queries', 'schema', 'sessions', 'one-connection', 'programs'] as const
const SHOWN_MAX = 8

interface Mode {
  readonly name: string
  readonly capabilities: number
  /** Statements are sent as COM_STMT_PREPARE, COM_STMT_EXECUTE and COM_STMT_CLOSE. */
  readonly prepared: boolean
}

const { DEPRECATE_EOF, SESSION_TRACK, MULTI_STATEMENTS, QUERY_ATTRIBUTES, OPTIONAL_RESULTSET_METADATA, FOUND_ROWS } =
  Capability
const MODES: readonly Mode[] = [
  { name: 'a classic client', capabilities: PLAIN_CAPABILITIES, prepared: false },
  {
    name: 'a client with DEPRECATE_EOF and MULTI_STATEMENTS',
    capabilities: PLAIN_CAPABILITIES | DEPRECATE_EOF | MULTI_STATEMENTS,
    prepared: false,
  },
  {
    name: 'a classic client with SESSION_TRACK and MULTI_STATEMENTS',
    capabilities: PLAIN_CAPABILITIES | SESSION_TRACK | MULTI_STATEMENTS | FOUND_ROWS,
    prepared: false,
  },
  {
    name: 'a client with all of these and query attributes',
    capabilities:
      PLAIN_CAPABILITIES |
      DEPRECATE_EOF |
      SESSION_TRACK |
      MULTI_STATEMENTS |
      QUERY_ATTRIBUTES |
      OPTIONAL_RESULTSET_METADATA,
    prepared: false,
  },
  { name: 'a classic client that prepares every statement', capabilities: PLAIN_CAPABILITIES, prepared: true },
  {
    name: 'a modern client that prepares every statement',
    capabilities: PLAIN_CAPABILITIES | DEPRECATE_EOF | SESSION_TRACK | MULTI_STATEMENTS,
    prepared: true,
  },
]

describe.each<Engine>(['mysql', 'mariadb'])('statements on %s', (engine) => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
    proxy = await startProxy(cluster)
  })

  describe.each(FILES)('of %s.sql', (file) => {
    const steps = readStatements(new URL(`statements/${file}.sql`, import.meta.url))

    it.each(MODES)('are answered byte for byte as by the primary to $name', async (mode) => {
      const direct = await replay(cluster, cluster.primary.port, steps, mode)
      const proxied = await replay(cluster, proxy.port, steps, mode)
      const wanted = steps.filter((step) => isWanted(step, mode))
      const different = wanted.flatMap((step, index) => difference(step, direct[index], proxied[index]))
      expect(different.slice(0, SHOWN_MAX).join('\n'), `${different.length} answers differ`).toBe('')
    })
  })
})

/** The answers to each step, in an empty schema of their own. */
async function replay(cluster: Cluster, port: number, steps: readonly Step[], mode: Mode): Promise<Buffer[][]> {
  await cluster.execute(cluster.primary, `DROP DATABASE IF EXISTS ${SCHEMA}`)
  await cluster.execute(cluster.primary, `CREATE DATABASE ${SCHEMA}`)
  await cluster.waitForReplicas()
  const client = await RawClient.connect({ port, capabilities: mode.capabilities, database: SCHEMA })
  const answers: Buffer[][] = []
  for (const step of steps) {
    if (!isWanted(step, mode)) continue
    try {
      answers.push(await perform(step, client, mode, port === cluster.primary.port ? null : cluster))
    } catch (error) {
      throw new Error(`line ${step.line}: ${step.text}`, { cause: error })
    }
  }
  await client.close()
  return answers
}

function isWanted(step: Step, { capabilities }: Mode): boolean {
  return (capabilities & step.needs) === step.needs
}

/** @param behind the cluster when the client is connected to it through the proxy */
async function perform(step: Step, client: RawClient, mode: Mode, behind: Cluster | null): Promise<Buffer[]> {
  if (step.kind === 'settle') {
    if (behind !== null) await untilOnReplica(client, behind)
    return []
  }
  if (step.kind === 'command') {
    const answer = step.code === Command.FIELD_LIST ? Answer.fieldList : Answer.results
    return [await client.command(step.code, Buffer.from(step.text, 'latin1'), answer)]
  }
  return mode.prepared ? await prepareAndExecute(step.text, client) : [await client.query(step.text)]
}

/** Waits until the session's reads go to a replica, so that what follows is not read from the primary alone. */
async function untilOnReplica(client: RawClient, cluster: Cluster): Promise<void> {
  await cluster.waitForReplicas()
  const onReplica = async (): Promise<boolean> => {
    const answer = (await client.query('SELECT @@port')).toString('latin1')
    return cluster.replicas.some(({ port }) => answer.includes(String(port)))
  }
  await expect.poll(onReplica, { timeout: 10_000 }).toBe(true)
}

async function prepareAndExecute(sql: string, client: RawClient): Promise<Buffer[]> {
  const prepared = await client.command(Command.STMT_PREPARE, Buffer.from(sql), Answer.prepare)
  if (client.facts.errno !== 0) return [prepared]
  const { statementId, parameterCount } = client.facts
  const id = Buffer.alloc(4)
  id.writeUInt32LE(statementId)
  // The id is the server's own business.
  prepared.fill(0, 5, 9)
  const answers = [prepared]
  if (parameterCount === 0) {
    // Id, no cursor, one iteration.
    answers.push(await client.command(Command.STMT_EXECUTE, Buffer.concat([id, Buffer.from([0, 1, 0, 0, 0])])))
  }
  client.tell(encodeCommand(Command.STMT_CLOSE, id))
  return answers
}

function difference(step: Step, direct: readonly Buffer[], proxied: readonly Buffer[]): string[] {
  const [expected, found] = step.shapeOnly ? [direct.map(shape), proxied.map(shape)] : [direct, proxied]
  if (expected.length === found.length && expected.every((answer, index) => answer.equals(found[index]))) return []
  return [`line ${step.line}: ${step.text}\n  direct: ${shown(expected)}\n  Sluice: ${shown(found)}`]
}

/** The column count and definitions of a result set; of other answers the kind and, of an ERR, the errno. */
function shape(answer: Buffer): Buffer {
  const [first, ...others] = payloads(answer)
  const columns = first[0]
  if (columns === 0xff) return first.subarray(0, 3)
  if (columns === 0x00) return first.subarray(0, 1)
  return Buffer.concat([first, ...others.slice(0, columns)])
}

function shown(answers: readonly Buffer[]): string {
  const text = (answer: Buffer): string =>
    payloads(answer)
      .map((payload) => payload.toString('latin1').replace(/[^ -~]/g, (c) => `<${c.charCodeAt(0).toString(16)}>`))
      .join(' | ')
  return answers.map(text).join(' || ').slice(0, 600)
}
