import { once } from 'node:events'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  AuthPlugin,
  decodeAuthSwitch,
  encodeChangeUser,
  Frame,
  Framer,
  frame,
  nativeResponse,
} from '../../../protocol/index.js'
import type { Cluster } from '../../../src/sandbox/index.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { PLAIN_CAPABILITIES } from '../../helpers/raw-client.js'
import { rawSession } from '../../wire/raw-session.js'

const NAME = `changing_${process.pid}`
const PASSWORD = 'secret'

/** Client libraries answer an auth switch by the challenge of the session, so that is what has to come with it. */
describe('COM_CHANGE_USER by mysql_native_password, in front of MariaDB', () => {
  let cluster: Cluster
  let proxy: RunningProxy

  beforeAll(async () => {
    cluster = await sharedCluster('mariadb')
    await cluster.execute(cluster.primary, `CREATE USER ${NAME} IDENTIFIED BY '${PASSWORD}'`)
    await cluster.waitForReplicas()
    const { user, password } = cluster.accounts.app
    const users = [
      { name: user, password },
      { name: NAME, password: PASSWORD },
    ]
    proxy = await startProxy(cluster, { users, limits: { max_failed_logins: 0 } })
  })

  /** The server's packets, in short, where the client answers by `first` at once and by `switched` when it is asked. */
  async function change(port: number, first: string, switched: string): Promise<string[]> {
    const { user, password } = cluster.accounts.app
    const { socket, login } = await rawSession(
      { host: '127.0.0.1', port },
      { username: user, password, capabilities: PLAIN_CAPABILITIES },
    )
    const { scramble } = login.greeting
    const authResponse = nativeResponse(first, scramble)
    const request = { username: NAME, authResponse, collation: 45, authPlugin: AuthPlugin.NATIVE }
    socket.write(frame(encodeChangeUser(request, login.capabilities), 0))
    const framer = new Framer()
    const seen: string[] = []
    while (!/^(ok|err)/.test(seen.at(-1) ?? '')) {
      while (framer.next() !== Frame.packet) framer.push((await once(socket, 'data'))[0])
      const payload = framer.buffer.subarray(framer.start, framer.end)
      if (payload[0] === 0) seen.push(`ok ${framer.sequence}`)
      else if (payload[0] === 0xff) seen.push(`err ${framer.sequence} ${payload.readUInt16LE(1)}`)
      else if (payload[0] === 0xfe) {
        const { plugin, data } = decodeAuthSwitch(payload)!
        const challenge = data.subarray(0, 20)
        seen.push(`${plugin} ${framer.sequence} ${challenge.equals(scramble) ? 'of the session' : 'new'}`)
        socket.write(frame(nativeResponse(switched, challenge), framer.sequence + 1))
      } else throw new Error(payload.toString('latin1'))
    }
    socket.destroy()
    return seen
  }

  it.each([
    ['the right password', PASSWORD, PASSWORD],
    ['a wrong one', 'wrong', 'wrong'],
    ['none', '', ''],
    ['a wrong one first and the right one when asked', 'wrong', PASSWORD],
    ['the right one first and a wrong one when asked', PASSWORD, 'wrong'],
  ])('with %s is the exchange that the server has', async (_what, first, switched) => {
    const direct = await change(cluster.primary.port, first, switched)
    expect(direct).toHaveLength(2)
    expect(await change(proxy.port, first, switched)).toEqual(direct)
  })
})
