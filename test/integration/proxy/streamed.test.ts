import { beforeAll, describe, expect, it } from 'vitest'
import { Answer, Command, encodeCommand, frame } from '../../../protocol/index.js'
import type { Cluster, Engine } from '../../../src/sandbox/index.js'
import { sharedCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'
import { RawClient } from '../../helpers/raw-client.js'

const BUFFERED = 1024

describe.each<Engine>(['mysql', 'mariadb'])(
  'a command too long to be held that comes in one piece, on %s',
  (engine) => {
    let cluster: Cluster
    let proxy: RunningProxy

    beforeAll(async () => {
      cluster = await sharedCluster(engine)
      proxy = await startProxy(cluster, { limits: { max_buffered_command: BUFFERED } })
    })

    it('is followed by the next one, whether it has an answer or not', async () => {
      const client = await RawClient.connect({ port: proxy.port })
      const prepared = await client.send(
        encodeCommand(Command.STMT_PREPARE, Buffer.from('SELECT LENGTH(?)')),
        Answer.prepare,
      )
      const id = Buffer.alloc(4)
      id.writeUInt32LE(prepared.readUInt32LE(5))
      for (let i = 0; i < 5; i++) {
        const data = Buffer.alloc(20 * BUFFERED + i, 'x')
        client.tell(frame(Buffer.concat([Buffer.of(Command.STMT_SEND_LONG_DATA), id, Buffer.of(0, 0), data]), 0))
        // Flags, iterations, NULL bitmap, types follow, MYSQL_TYPE_BLOB.
        const rest = Buffer.of(0, 1, 0, 0, 0, 0, 1, 0xfc, 0)
        const answer = await client.command(Command.STMT_EXECUTE, Buffer.concat([id, rest]))
        const length = Buffer.alloc(4)
        length.writeUInt32LE(data.length)
        expect(answer.includes(length)).toBe(true)
        expect((await client.query(`SELECT LENGTH('${data}')`)).toString('latin1')).toContain(String(data.length))
      }
      await client.close()
    })
  },
)
