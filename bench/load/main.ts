import { Generator } from './generator.js'
import type { FromGenerator, ToGenerator } from './messages.js'

/** A load generator process: started by fork, told what to do by messages, ends with its parent. */

let generator: Generator | null = null

process.on('message', (message: ToGenerator) => {
  switch (message.type) {
    case 'open':
      generator = new Generator(message.spec, fail)
      generator.open().then(
        () => send({ type: 'opened' }),
        (error: Error) => fail(error.message),
      )
      break
    case 'mark':
      generator?.mark()
      break
    case 'stop':
      if (generator !== null) send({ type: 'result', result: generator.stop() })
      generator = null
      break
  }
})
process.once('disconnect', () => process.exit(0))

function fail(message: string): void {
  generator = null
  send({ type: 'failed', message })
}

function send(message: FromGenerator): void {
  process.send?.(message)
}
