import { readFileSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../../src/control/config/config.js'
import { isSatisfiedBy, readDockerfile, substitute } from './container-files.js'

const repository = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const read = (path: string): string => readFileSync(repository(path), 'utf8')

interface Service {
  readonly image: string
  readonly ports?: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly volumes: readonly string[]
  readonly command?: readonly string[]
  readonly stop_grace_period: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: object
}

const compose = parse(read('docker/compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const stages = readDockerfile(read('docker/Dockerfile'))
const image = stages.at(-1)!
const SECRET_NAME = /passw|secret|token|credential|private|api_?key/i

/** As a user has them who filled docker/.env in as docker/example.env asks. */
const filledIn = Object.fromEntries(
  read('docker/example.env')
    .split('\n')
    .filter((line) => /^\w+=/.test(line))
    .map((line, index) => [line.split('=')[0], `pa'ss ${index}`]),
)

function environmentOf(service: string): Record<string, string> {
  const given = Object.entries(compose.services[service].environment)
  return { ...image.env, ...Object.fromEntries(given.map(([name, text]) => [name, substitute(text, filledIn)])) }
}

function ports(service: string): { host: string; container: number }[] {
  return (compose.services[service].ports ?? []).map((text) => {
    const [, host, container] = /^(.*):[^:]+:(\d+)$/.exec(substitute(text, filledIn)) ?? []
    return { host, container: Number(container) }
  })
}

const loadStackConfig = () => loadConfig(repository('docker/sluice.yaml'), environmentOf('sluice'))

describe('docker/compose.yaml', () => {
  it('publishes ports of Sluice on 127.0.0.1 and none of the MySQL servers', () => {
    const published = Object.keys(compose.services).flatMap((service) => ports(service))
    expect(published).toEqual(ports('sluice'))
    expect(published.map(({ host }) => host)).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1'])
  })

  it('publishes exactly the ports that docker/sluice.yaml listens on', () => {
    const { listen, admin, metrics } = loadStackConfig()
    const listening = [...listen, ...(admin?.listen ?? []), ...(metrics === null ? [] : [metrics.listen])]
    expect(ports('sluice').map(({ container }) => container)).toEqual(listening.map(({ port }) => port))
  })

  it('has no password of its own: each comes from docker/.env, and a missing one stops it', () => {
    const settings = Object.values(compose.services).flatMap(({ environment }) => Object.entries(environment))
    const passwords = settings.filter(([name]) => SECRET_NAME.test(name))
    expect(passwords.length).toBeGreaterThan(0)
    for (const [name, text] of passwords) {
      expect(text).toMatch(new RegExp(`^\\$\\{${name}:\\?[^}]+\\}$`))
      expect(Object.keys(filledIn)).toContain(name)
      expect(() => substitute(text, {})).toThrow(name)
    }
    expect(read('docker/.gitignore').split('\n')).toContain('.env')
  })

  it('gives a shutdown more time than Sluice takes for it', () => {
    const { stop_grace_period: grace } = compose.services['sluice']
    expect(grace).toMatch(/^\d+s$/)
    expect(Number.parseInt(grace, 10) * 1000).toBeGreaterThan(loadStackConfig().limits.shutdownTimeoutMs + 1000)
  })

  it('runs every server of docker/sluice.yaml with GTIDs, a health check and a volume of its own', () => {
    const servers = loadStackConfig().servers.map(({ host }) => host)
    expect(Object.keys(compose.services).sort()).toEqual([...servers, 'sluice'].sort())
    const commands = servers.map((server) => compose.services[server].command ?? [])
    for (const command of commands) {
      expect(command).toEqual(expect.arrayContaining(['--gtid-mode=ON', '--enforce-gtid-consistency=ON']))
    }
    const ids = commands.map((command) => command.find((option) => option.startsWith('--server-id=')))
    expect(new Set(ids).size).toBe(servers.length)
    for (const server of servers) {
      expect(compose.services[server].volumes[0]).toBe(`${server}:/var/lib/mysql`)
      expect(compose.services[server].healthcheck).toBeDefined()
    }
    expect(Object.keys(compose.volumes).sort()).toEqual([...servers, 'sluice'].sort())
  })

  it('mounts files that exist, for reading only', () => {
    const mounts = Object.values(compose.services).flatMap(({ volumes }) =>
      volumes.filter((text) => text.startsWith('.')),
    )
    expect(mounts.length).toBe(4)
    for (const mount of mounts) {
      const [source, , mode] = mount.split(':')
      expect(mode).toBe('ro')
      expect(statSync(repository(`docker/${source}`)).isFile()).toBe(true)
    }
  })
})

describe('docker/sluice.yaml', () => {
  it('is a valid configuration, without a warning, in the environment that docker/compose.yaml sets', () => {
    const config = loadStackConfig()
    expect(config.warnings).toEqual([])
    expect(config.users).toMatchObject([{ name: 'app', password: filledIn['APP_PASSWORD'] }])
    expect(config.monitor.password).toBe(filledIn['MONITOR_PASSWORD'])
    expect(config.admin?.users).toEqual({ admin: filledIn['SLUICE_ADMIN_PASSWORD'] })
    expect(config.servers.map(({ hostgroup }) => hostgroup)).toEqual([0, 1, 1])
  })

  it('names accounts that the primary creates with the same passwords', () => {
    const script = read('docker/mysql/primary.sh')
    const { users, monitor } = loadStackConfig()
    for (const { name, defaultSchema } of users) {
      expect(script).toContain(`CREATE USER ${name}@'%' IDENTIFIED BY '$(quote "$APP_PASSWORD")'`)
      expect(script).toContain(`CREATE DATABASE ${defaultSchema};`)
    }
    expect(script).toContain(`CREATE USER ${monitor.user}@'%' IDENTIFIED BY '$(quote "$MONITOR_PASSWORD")'`)
    expect(Object.keys(environmentOf('primary'))).toEqual(expect.arrayContaining(['APP_PASSWORD', 'MONITOR_PASSWORD']))
  })

  it('keeps what Sluice writes in the volume of the image and of the stack', () => {
    const { datadir } = loadStackConfig()
    expect(image.volumes).toEqual([datadir])
    expect(compose.services['sluice'].volumes).toContain(`sluice:${datadir}`)
  })
})

describe('docker/Dockerfile', () => {
  it('builds on and runs on a Node that package.json allows', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
    expect(stages.length).toBe(2)
    for (const { from } of stages) {
      const version = /^node:([\d.]+)-/.exec(from)?.[1]
      expect(isSatisfiedBy(engines.node, version ?? '')).toBe(true)
    }
  })

  it('runs as a user without privileges, given by number', () => {
    expect(image.user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  })

  it('checks health at the address of the metrics port that docker/sluice.yaml has', () => {
    const url = new URL(image.env['SLUICE_READYZ_URL'])
    expect([url.hostname, Number(url.port), url.pathname]).toEqual([
      '127.0.0.1',
      loadStackConfig().metrics?.listen.port,
      '/readyz',
    ])
    expect(image.exposed).toContain(Number(url.port))
  })

  it('reads its configuration where docker/compose.yaml mounts it', () => {
    const mounted = compose.services['sluice'].volumes.map((volume) => volume.split(':')[1])
    expect(mounted).toContain(image.command.at(-1))
  })

  it('holds no secret: none in its settings, and of the build context only what is named', () => {
    for (const { env, args } of stages) {
      expect([...Object.keys(env), ...args].filter((name) => SECRET_NAME.test(name))).toEqual([])
    }
    // .npmrc may hold a token of whoever builds: it serves the build stage and goes no further.
    expect(image.copiedFromContext).toEqual(['LICENSE', 'docs/sluice.schema.json', 'docker/healthcheck.mjs'])
    expect(image.copiedFromStages).toEqual(
      ['package.json', 'node_modules', 'dist'].map((name) => `/opt/sluice/${name}`),
    )
  })

  it('gets a build context that begins empty and lets in nothing but sources', () => {
    const [first, ...others] = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    expect(first).toBe('*')
    const allowed = others.map((line) => line.replace(/^!/, ''))
    expect(others.every((line) => line.startsWith('!'))).toBe(true)
    expect(allowed.sort()).toEqual([...new Set(stages.flatMap(({ copiedFromContext }) => copiedFromContext))].sort())
  })
})
