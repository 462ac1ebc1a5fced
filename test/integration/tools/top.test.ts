import { beforeAll, describe, expect, it } from 'vitest'
import type { Cluster } from '../../../src/sandbox/index.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { sluice } from '../../helpers/sluice.js'

let cluster: Cluster
let proxy: RunningProxy

beforeAll(async () => {
  cluster = await sharedCluster('mysql')
  proxy = await startProxy(cluster, { admin: { users: { admin: 'admin', stats: 'stats' } } })
})

describe('sluice top', () => {
  it('prints one frame: every server, what it executed, and sessions that do something', async () => {
    const client = await proxy.connect()
    let running = true
    const asked = (async () => {
      while (running) await client.query('SELECT SLEEP(0.2)')
    })()
    const args = ['top', '--once', '--interval', '300ms', '--config', proxy.configPath, '--user', 'stats']
    const { status, stdout, stderr } = await sluice(args)
    running = false
    await asked
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^Sluice \S+ {2}stats@127\.0\.0\.1:\d+ {2}up /)
    expect(stdout).toMatch(/\nclients 1 \(1 busy/)
    for (const { host, port, role } of cluster.servers)
      expect(stdout).toMatch(new RegExp(`${role === 'primary' ? 'writer' : 'reader'} +${host}:${port} +ONLINE`))
    expect(stdout).toMatch(/app .* SELECT SLEEP\(0\.2\)/)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none is allowed where no terminal is
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  })

  it('needs a terminal to be live, and a port to ask', async () => {
    const live = await sluice(['top', '--config', proxy.configPath])
    expect(live).toEqual({
      status: 2,
      stdout: '',
      stderr: 'sluice: top needs a terminal; expected --once where there is none\n',
    })
    const nobody = await sluice(['top', '--once', '--host', 'unix:/nowhere.sock'])
    expect({ status: nobody.status, stderr: nobody.stderr }).toEqual({
      status: 1,
      stderr:
        'sluice: the admin port unix:/nowhere.sock cannot be reached (there is no such socket: is Sluice running?)\n',
    })
  })
})
