import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { runControlPlane } from '../../../src/control/control.js'
import { UsageError } from '../../../src/shared/errors.js'

const FIXTURE = fileURLToPath(new URL('fixtures/worker.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'sluice-control-'))
const configPath = join(folder, 'sluice.yaml')
const logged: string[] = []
const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line).msg) })

afterAll(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  logged.length = 0
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A configuration whose only server is nowhere. */
function configure(port: number, more = ''): void {
  const text = `listen: 127.0.0.1:${port}\nworkers: 2\ndatadir: data\nservers: [ { host: 127.0.0.1, port: 1 } ]\n${more}`
  writeFileSync(configPath, text, { mode: 0o600 })
}

function run(behaviour: object = {}): Promise<number> {
  return runControlPlane({ configPath, log, entry: { file: FIXTURE, args: [JSON.stringify(behaviour)] } })
}

const says = (text: string) => vi.waitFor(() => expect(logged.join('\n')).toContain(text), { timeout: 10_000 })

/** What the process would get from outside. */
const signal = (name: 'SIGTERM' | 'SIGHUP') => process.emit(name, name)

describe('the control plane', () => {
  it('starts without any server, says so, serves, and ends with status 0 on SIGTERM', async () => {
    const port = await freePort()
    configure(port)
    const listeners = process.listenerCount('SIGTERM')
    const status = run()
    await says(`ready: clients on 127.0.0.1:${port}; 2 workers; `)
    await says('no server has answered yet')
    expect(readdirSync(join(folder, 'data')).filter((name) => name.startsWith('run-'))).toHaveLength(1)
    signal('SIGTERM')
    expect(await status).toBe(0)
    await says('SIGTERM: no new clients; statements and transactions may finish within 20 s')
    expect(readdirSync(join(folder, 'data')).filter((name) => name.startsWith('run-'))).toEqual([])
    expect(process.listenerCount('SIGTERM')).toBe(listeners)
  })

  it('ends at once with status 1 on a second signal', async () => {
    configure(await freePort())
    const status = run({ stubborn: true })
    await says('ready:')
    signal('SIGTERM')
    signal('SIGTERM')
    expect(await status).toBe(1)
  })

  it('stops workers that were just being started when the signal came', async () => {
    configure(await freePort())
    const listeners = process.listenerCount('SIGTERM')
    const status = run()
    await vi.waitFor(() => expect(process.listenerCount('SIGTERM')).toBeGreaterThan(listeners), { interval: 1 })
    signal('SIGTERM')
    expect(await status).toBe(0)
  })

  it('starts nothing when a port is in use', async () => {
    const blocker = createServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    configure((blocker.address() as { port: number }).port)
    const start = run()
    await expect(start).rejects.toThrow(UsageError)
    await expect(start).rejects.toThrow(/sluice\.yaml: listen: 127\.0\.0\.1:\d+ is in use by another process/)
    blocker.close()
  })

  it('reads the file again on SIGHUP: a bad one changes nothing, a good one counts', async () => {
    const port = await freePort()
    configure(port)
    const status = run()
    await says('ready:')
    configure(port, 'bogus: 1')
    signal('SIGHUP')
    await says('configuration not changed: ')
    expect(logged.join('\n')).toContain('bogus: unknown key')
    configure(port, 'admin: {}\nlimits: { shutdown_timeout: 3000 }')
    signal('SIGHUP')
    await says('admin changed: this needs a restart')
    await says('configuration read again')
    signal('SIGTERM')
    await says('may finish within 3 s')
    expect(await status).toBe(0)
  })
})
