import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { z } from 'zod'

interface Operation {
  readonly responses: Readonly<Record<string, unknown>>
  readonly requestBody?: unknown
}

type Resolved = Record<string, unknown>

/** docs/openapi.yaml, with every `$ref` in its place. */
export class OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  private readonly document: Resolved

  constructor(path: URL) {
    this.document = parse(readFileSync(path, 'utf8')) as Resolved
    this.paths = this.resolve(this.document['paths']) as typeof this.paths
  }

  /** `GET /v1/topology` and so on. */
  operations(): string[] {
    return Object.entries(this.paths).flatMap(([path, item]) =>
      Object.keys(item).flatMap((key) => (key === 'parameters' ? [] : [`${key.toUpperCase()} ${path}`])),
    )
  }

  operation(name: string): Operation {
    const [method, path] = name.split(' ')
    return this.paths[path][method.toLowerCase()]
  }

  /** Statuses that have a line of their own. */
  statuses(name: string): string[] {
    return Object.keys(this.operation(name).responses).filter((status) => status !== '4XX')
  }

  /** What is wrong with an answer; empty: it is as described. */
  problems(name: string, status: number, body: unknown): string[] {
    const { responses } = this.operation(name)
    const described = responses[String(status)] ?? responses[`${String(status)[0]}XX`]
    if (described === undefined) return [`status ${status} is not described`]
    return problems(schemaIn(described), body)
  }

  requestProblems(name: string, body: unknown): string[] {
    return problems(schemaIn(this.operation(name).requestBody), body)
  }

  requestExample(name: string): unknown {
    return contentOf(this.operation(name).requestBody)['example']
  }

  private resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.resolve(item))
    if (typeof value !== 'object' || value === null) return value
    const { $ref } = value as { $ref?: string }
    if ($ref !== undefined) return this.resolve(this.at($ref))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.resolve(item)]))
  }

  private at(ref: string): unknown {
    const found = ref
      .replace(/^#\//, '')
      .split('/')
      .reduce((value: unknown, step) => (value as Resolved | undefined)?.[step], this.document)
    if (found === undefined) throw new Error(`${ref} is not in the document`)
    return found
  }
}

function contentOf(described: unknown): Resolved {
  return (described as { content: Record<string, Resolved> }).content['application/json']
}

function schemaIn(described: unknown): z.ZodType {
  return z.fromJSONSchema(contentOf(described)['schema'] as Parameters<typeof z.fromJSONSchema>[0])
}

function problems(schema: z.ZodType, value: unknown): string[] {
  const parsed = schema.safeParse(value)
  return parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
}
