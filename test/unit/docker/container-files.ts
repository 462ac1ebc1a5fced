/** Reads what our own Dockerfile and compose.yaml use of their languages, and refuses the rest. */

export interface Stage {
  /** The base image, with the defaults of ARGs put in. */
  readonly from: string
  readonly env: Record<string, string>
  readonly args: string[]
  readonly volumes: string[]
  readonly exposed: number[]
  readonly copiedFromContext: string[]
  readonly copiedFromStages: string[]
  user: string
  command: readonly string[]
}

export function readDockerfile(text: string): Stage[] {
  const stages: Stage[] = []
  const globals: Record<string, string> = {}
  for (const [, name, rest] of instructions(text).matchAll(/^([A-Z]+)\s+(.*)$/gm)) {
    if (name === 'FROM') {
      stages.push(newStage(rest.split(' ')[0].replace(/\$\{(\w+)\}/g, (_, variable: string) => globals[variable])))
      continue
    }
    const stage = stages.at(-1)
    if (stage !== undefined) readInstruction(stage, name, rest)
    else if (name === 'ARG') globals[rest.split('=')[0]] = rest.split('=')[1]
    else throw new Error(`${name} before FROM`)
  }
  return stages
}

/** One line for each: comments removed, continuation lines joined. */
function instructions(text: string): string {
  return text.replace(/^\s*#.*\n/gm, '').replace(/\\\n\s*/g, '')
}

function newStage(from: string): Stage {
  return {
    from,
    env: {},
    args: [],
    volumes: [],
    exposed: [],
    copiedFromContext: [],
    copiedFromStages: [],
    user: 'root',
    command: [],
  }
}

function readInstruction(stage: Stage, name: string, rest: string): void {
  const words = rest.split(/\s+/)
  if (name === 'ENV') for (const word of words) stage.env[word.split('=')[0]] = word.slice(word.indexOf('=') + 1)
  else if (name === 'ARG') stage.args.push(words[0].split('=')[0])
  else if (name === 'VOLUME') stage.volumes.push(...words)
  else if (name === 'EXPOSE') stage.exposed.push(...words.map(Number))
  else if (name === 'USER') stage.user = rest
  else if (name === 'CMD') stage.command = JSON.parse(rest) as string[]
  else if (name === 'COPY') {
    const sources = words.filter((word) => !word.startsWith('--')).slice(0, -1)
    const target = rest.includes('--from=') ? stage.copiedFromStages : stage.copiedFromContext
    target.push(...sources)
  } else if (!['WORKDIR', 'RUN', 'HEALTHCHECK', 'ENTRYPOINT'].includes(name)) {
    throw new Error(`${name} is not known here`)
  }
}

/** `${NAME:?why}`, `${NAME:-default}` and `${NAME}`, as Compose replaces them; an unset name without default is an error. */
export function substitute(text: string, env: Readonly<Record<string, string>>): string {
  return String(text).replace(/\$\{(\w+)(?::([?-])([^}]*))?\}/g, (_, name: string, kind?: string, rest?: string) => {
    if (env[name]) return env[name]
    if (kind === '-') return rest ?? ''
    throw new Error(`${name} is not set`)
  })
}

/**
 * Whether every Node of an image tag's version is in a range `>=x.y.z`. A tag of one or two numbers moves: `22` is every
 * 22.y.z, also the first one.
 */
export function isSatisfiedBy(range: string, tag: string): boolean {
  const least = /^>=(\d+)\.(\d+)\.(\d+)$/.exec(range)?.slice(1).map(Number)
  const oldest = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(tag)?.slice(1)
  if (least === undefined || oldest === undefined) throw new Error(`cannot compare ${range} with ${tag}`)
  const version = oldest.map((part) => Number(part ?? 0))
  const at = least.findIndex((part, index) => part !== version[index])
  return at < 0 || version[at] > least[at]
}
