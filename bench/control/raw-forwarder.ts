import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * The control: the least a proxy written for Node can do. One process, bytes from one socket to the other, with
 * back-pressure, nothing looked at. It is started by fork, says on which port it listens and ends with its parent.
 * Arguments: host and port of the server.
 */

function forward(from: Socket, to: Socket): void {
  from.on('data', (chunk) => {
    if (to.write(chunk)) return
    from.pause()
    to.once('drain', () => from.resume())
  })
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}

const [host = '127.0.0.1', port = '3306'] = process.argv.slice(2)
const server = createServer({ noDelay: true }, (client) => {
  const backend = connect({ host, port: Number(port), noDelay: true })
  forward(client, backend)
  forward(backend, client)
})
server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.once('disconnect', () => process.exit(0))
