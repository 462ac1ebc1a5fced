/**
 * Servers in containers of a running Docker engine. The container shares the host's network and mounts the sandbox folder under
 * the same path, and the server in it runs under our own user id. So its port, socket, files and process id mean the same
 * inside and outside, and everything else treats it as any other process.
 */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { messageOf, SandboxError } from '../errors.js'
import type { Engine, Launch, Progress, ServerBinaries } from '../types.js'
import { ENGINE_NAMES, isSupported, parseServerVersion } from './version.js'

const IMAGES: Record<Engine, { name: string; program: string }> = {
  mysql: { name: 'mysql:9', program: 'mysqld' },
  mariadb: { name: 'mariadb:10.11', program: 'mariadbd' },
}
const ENGINE_TIMEOUT_MS = 8_000
/** A pull may take long, but not without any progress. */
const PULL_STALL_MS = 30_000

type Testcontainers = typeof import('testcontainers')
type Runtime = Awaited<ReturnType<Testcontainers['getContainerRuntimeClient']>>
type Docker = Runtime['container']['dockerode']
type ContainerLaunch = Extract<Launch, { kind: 'container' }>

interface Context {
  progress?: Progress | undefined
  signal?: AbortSignal | undefined
}

/** @throws SandboxError that says why Docker is of no use here */
export async function dockerServer(engine: Engine, context: Context): Promise<ServerBinaries> {
  const { name, program } = IMAGES[engine]
  const docker = await connect(context.signal)
  if (!(await hasImage(docker, name))) {
    context.progress?.({ step: 'download', message: `pulling the image ${name}` })
    await pull(docker, name, context)
  }
  const { Id: imageId } = await docker.getImage(name).inspect()
  const launch: ContainerLaunch = { kind: 'container', image: name, imageId, program }
  const { output } = await runContainer(launch, [program, '--no-defaults', '--version'], {})
  const found = parseServerVersion(output)
  if (found?.engine !== engine || !isSupported(found)) {
    throw new SandboxError(`the image ${name} does not hold a fitting ${ENGINE_NAMES[engine]}: ${output.trim()}`)
  }
  return { engine, version: found.version, origin: `Docker image ${name}`, launch }
}

export interface ContainerMount {
  /** Host folder that the container sees under the same path. */
  dir?: string
  workingDir?: string
}

/** Runs a container to its end; `command` replaces the image's entry point. */
export async function runContainer(
  launch: ContainerLaunch,
  command: readonly string[],
  mount: ContainerMount,
): Promise<{ code: number; output: string }> {
  const docker = await connect()
  const container = await docker.createContainer(containerConfig(launch, command, mount))
  try {
    const stream = await container.attach({ stream: true, stdout: true, stderr: true })
    let output = ''
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
    const ended = new Promise<void>((resolve) => stream.once('end', resolve).once('close', resolve))
    await container.start()
    const { StatusCode: code } = (await container.wait()) as { StatusCode: number }
    await ended
    return { code, output }
  } finally {
    await container.remove({ force: true }).catch(() => {})
  }
}

/** Starts a container that removes itself at its end, and returns the process id its program has on this machine. */
export async function startContainer(
  launch: ContainerLaunch,
  command: readonly string[],
  mount: ContainerMount,
): Promise<number> {
  const docker = await connect()
  const config = containerConfig(launch, command, mount)
  const container = await docker.createContainer({ ...config, HostConfig: { ...config.HostConfig, AutoRemove: true } })
  await container.start()
  const { State } = await container.inspect()
  if (!State.Pid) throw new SandboxError(`the container of ${launch.image} ended at once`)
  return State.Pid
}

function containerConfig(launch: ContainerLaunch, command: readonly string[], { dir, workingDir }: ContainerMount) {
  const [program = '', ...args] = command
  return {
    Image: launch.imageId,
    Entrypoint: [program],
    Cmd: args,
    User: `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`,
    Labels: { 'sluice.sandbox': dir ?? '' },
    ...(workingDir ? { WorkingDir: workingDir } : {}),
    Tty: true, // one plain output stream
    HostConfig: { NetworkMode: 'host', Binds: dir ? [`${dir}:${dir}`] : [] },
  }
}

async function connect(signal?: AbortSignal): Promise<Docker> {
  if (process.platform !== 'linux') throw new SandboxError('its containers do not share the network of this system')
  if (!mayHaveEngine()) throw new SandboxError('no Docker engine runs here')
  const testcontainers = await import('testcontainers').catch(() => {
    throw new SandboxError('the optional npm package testcontainers is not installed')
  })
  const runtime = await within(
    ENGINE_TIMEOUT_MS,
    testcontainers.getContainerRuntimeClient(),
    'it does not answer',
    signal,
  )
  const docker = runtime.container.dockerode
  await within(ENGINE_TIMEOUT_MS, docker.ping(), 'it does not answer', signal)
  return docker
}

/** Cheap look before a big library is loaded: a socket in one of the usual places, or settings that name an engine. */
function mayHaveEngine(): boolean {
  const { DOCKER_HOST, TESTCONTAINERS_HOST_OVERRIDE, XDG_RUNTIME_DIR = '/nonexistent' } = process.env
  const places = [
    '/var/run/docker.sock',
    join(XDG_RUNTIME_DIR, 'docker.sock'),
    join(homedir(), '.docker/run/docker.sock'),
    join(homedir(), '.docker/desktop/docker.sock'),
    join(homedir(), '.testcontainers.properties'),
  ]
  return Boolean(DOCKER_HOST ?? TESTCONTAINERS_HOST_OVERRIDE) || places.some((place) => existsSync(place))
}

async function hasImage(docker: Docker, name: string): Promise<boolean> {
  return docker
    .getImage(name)
    .inspect()
    .then(
      () => true,
      (error: { statusCode?: number }) => {
        if (error.statusCode === 404) return false
        throw new SandboxError(messageOf(error))
      },
    )
}

async function pull(docker: Docker, name: string, { progress, signal }: Context): Promise<void> {
  const stream = await within(PULL_STALL_MS, docker.pull(name), `the image ${name} cannot be pulled`, signal)
  const layers = new Map<string, { current: number; total: number }>()
  await new Promise<void>((resolve, reject) => {
    const giveUp = () => finish(new SandboxError(`pulling ${name} made no progress for ${PULL_STALL_MS / 1000} s`))
    const abort = () => finish(signal?.reason)
    let timer = setTimeout(giveUp, PULL_STALL_MS)
    const finish = (error?: unknown) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      if (error === undefined || error === null) return resolve()
      ;(stream as NodeJS.ReadableStream & { destroy?: () => void }).destroy?.()
      reject(signal?.aborted ? signal.reason : new SandboxError(messageOf(error)))
    }
    signal?.addEventListener('abort', abort)
    docker.modem.followProgress(stream, finish, (event: PullEvent) => {
      clearTimeout(timer)
      timer = setTimeout(giveUp, PULL_STALL_MS)
      const percent = pullPercent(layers, event)
      progress?.({
        step: 'download',
        message: `pulling the image ${name}`,
        ...(percent === undefined ? {} : { percent }),
      })
    })
  })
}

interface PullEvent {
  id?: string
  status?: string
  progressDetail?: { current?: number; total?: number }
}

/** Sums up the layers of which the size is known. */
function pullPercent(layers: Map<string, { current: number; total: number }>, event: PullEvent): number | undefined {
  const { current, total } = event.progressDetail ?? {}
  if (event.id && event.status === 'Downloading' && current !== undefined && total)
    layers.set(event.id, { current, total })
  let [sumCurrent, sumTotal] = [0, 0]
  for (const layer of layers.values()) {
    sumCurrent += layer.current
    sumTotal += layer.total
  }
  return sumTotal === 0 ? undefined : (100 * sumCurrent) / sumTotal
}

async function within<T>(ms: number, work: Promise<T>, failure: string, signal?: AbortSignal): Promise<T> {
  const limit = AbortSignal.timeout(ms)
  const both = signal === undefined ? limit : AbortSignal.any([limit, signal])
  const ended = new Promise<never>((_, reject) =>
    both.addEventListener('abort', () => reject(both.reason), { once: true }),
  )
  try {
    return await Promise.race([work, ended])
  } catch (error) {
    signal?.throwIfAborted()
    throw new SandboxError(limit.aborted ? failure : `${failure}: ${messageOf(error).split('\n')[0]}`)
  }
}
