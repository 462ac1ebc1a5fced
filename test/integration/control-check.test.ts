import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCheck } from '../../src/control/check/check.js'
import type { Finding } from '../../src/control/check/check-findings.js'
import type { Cluster, Engine } from '../../src/sandbox/index.js'
import { sharedCluster } from '../helpers/cluster.js'

const folder = mkdtempSync(join(tmpdir(), 'sluice-check-'))
afterAll(() => rmSync(folder, { recursive: true }))

const ENGINES: readonly Engine[] = ['mysql', 'mariadb']

describe.each(ENGINES)('sluice check on %s', (engine) => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await sharedCluster(engine)
  })

  function config(changes: { users?: string; monitor?: string; servers?: string } = {}): string {
    const rows = cluster.servers.map(({ port, role }) => {
      return `  - { host: 127.0.0.1, port: ${port}, hostgroup: ${role === 'primary' ? 0 : 1} }`
    })
    const path = join(folder, 'sluice.yaml')
    const text = [
      'servers:',
      ...rows,
      changes.servers ?? '',
      'replication_hostgroups: [ { writer: 0, reader: 1 } ]',
      `users: [ { name: app, password: app }${changes.users ?? ''} ]`,
      changes.monitor ?? 'monitor: { user: monitor, password: monitor }',
    ]
    writeFileSync(path, text.join('\n'), { mode: 0o600 })
    return path
  }

  async function check(path: string): Promise<{ status: number; findings: Finding[] }> {
    let printed = ''
    const status = await runCheck({ configPath: path, json: true, write: (text) => (printed += text) })
    const { ok, findings } = JSON.parse(printed) as { ok: boolean; findings: Finding[] }
    expect(ok).toBe(status === 0)
    return { status, findings }
  }

  it('finds nothing wrong with a healthy cluster', async () => {
    const { status, findings } = await check(config())
    expect(findings.filter(({ level }) => level !== 'ok')).toEqual([])
    expect(status).toBe(0)
    const texts = findings.map(({ text }) => text)
    expect(texts).toContain(`127.0.0.1:${cluster.primary.port} is the writer, as configured`)
    expect(texts.filter((text) => text === 'replication is running')).toHaveLength(2)
    expect(texts.filter((text) => text === 'user app can log in')).toHaveLength(3)
    expect(texts).toContain('server_ids are distinct')
  })

  it('prints lines for people, too', async () => {
    let printed = ''
    await runCheck({ configPath: config(), json: false, write: (text) => (printed += text) })
    expect(printed).toMatch(/^ok {7}\S+sluice\.yaml +the configuration is valid$/m)
    expect(printed).toMatch(/^0 problems, 0 warnings, \d+ ok$/m)
  })

  it('names users that cannot log in, and servers that cannot be reached', async () => {
    const { status, findings } = await check(
      config({
        users: ', { name: stranger, password: hunter2 }',
        servers: '  - { host: 127.0.0.1, port: 1, hostgroup: 1 }',
      }),
    )
    expect(status).toBe(1)
    const problems = findings.filter(({ level }) => level === 'problem')
    expect(problems.filter(({ text }) => text.startsWith('user stranger cannot log in: Access denied'))).toHaveLength(3)
    expect(problems).toContainEqual(
      expect.objectContaining({ subject: '127.0.0.1:1', text: expect.stringContaining('cannot be reached') }),
    )
    expect(JSON.stringify(findings)).not.toContain('hunter2')
  })

  it('reaches servers through their unix sockets, and over TLS where use_ssl asks for it', async () => {
    const { socket, port } = cluster.primary
    const path = join(folder, 'other.yaml')
    writeFileSync(
      path,
      `servers: [ { host: "unix:${socket}" }, { host: 127.0.0.1, port: ${port}, hostgroup: 1, use_ssl: true } ]`,
    )
    const { findings } = await check(path)
    expect(findings.filter(({ subject, level }) => subject === socket && level === 'problem')).toEqual([])
    const overTls = findings.filter(({ subject }) => subject === `127.0.0.1:${port}`)
    // MySQL makes itself a certificate; MariaDB 10.11 has no TLS without being given one.
    if (engine === 'mysql') expect(overTls.filter(({ level }) => level !== 'ok')).toEqual([])
    else expect(overTls).toMatchObject([{ level: 'problem', text: expect.stringContaining('cannot be reached') }])
  })

  it('gives the GRANT statements that the monitor lacks', async () => {
    await cluster.execute(cluster.primary, "CREATE USER 'blind'@'%' IDENTIFIED BY 'blind'")
    try {
      await cluster.waitForReplicas()
      const { status, findings } = await check(config({ monitor: 'monitor: { user: blind, password: blind }' }))
      expect(status).toBe(1)
      const fixes = new Set(findings.map(({ fix }) => fix).filter((fix) => fix.startsWith('GRANT')))
      const expected =
        engine === 'mysql'
          ? ['REPLICATION CLIENT ON *.*', 'SELECT ON performance_schema.*', 'SHOW_ROUTINE ON *.*']
          : ['SLAVE MONITOR ON *.*', 'SELECT ON mysql.proc']
      expect([...fixes].sort()).toEqual(expected.map((privilege) => `GRANT ${privilege} TO 'blind'@'%'`).sort())
      for (const fix of fixes) await cluster.execute(cluster.primary, fix)
      await cluster.waitForReplicas()
      expect((await check(config({ monitor: 'monitor: { user: blind, password: blind }' }))).status).toBe(0)
    } finally {
      await cluster.execute(cluster.primary, "DROP USER 'blind'@'%'")
    }
  })

  it('says that the monitor may not log in, and how to create it', async () => {
    const { status, findings } = await check(config({ monitor: 'monitor: { user: nobody, password: wrong }' }))
    expect(status).toBe(1)
    expect(findings).toContainEqual(
      expect.objectContaining({
        level: 'problem',
        text: expect.stringContaining('the monitor may not log in'),
        fix: expect.stringContaining("CREATE USER 'nobody'@'%'"),
      }),
    )
  })
})
