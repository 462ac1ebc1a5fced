import { z } from 'zod'
import { CONFIG_SCHEMA } from '../../src/control/config/config-schema.js'

type Node = Record<string, unknown>

const DIALECT = 'http://json-schema.org/draft-07/schema#'

/**
 * JSON Schema of sluice.yaml for editors: keys, types and ranges from the schema that Sluice itself reads by, what the keys
 * mean from the tables of docs/configuration.md.
 */
export function configJsonSchema(page: string): Node {
  // Draft 7 is what editors' YAML servers know best.
  const { $schema: _, ...made } = z.toJSONSchema(CONFIG_SCHEMA, {
    io: 'input',
    unrepresentable: 'any',
    target: 'draft-7',
  }) as Node
  const root = { $schema: DIALECT, title: 'sluice.yaml', ...allowNull(made) }
  for (const [heading, rows] of tables(page)) {
    const properties = propertiesOf(root, heading)
    for (const [key, text] of rows) if (properties?.[key] !== undefined) properties[key]['description'] = text
  }
  return root
}

/** A key with nothing, `~` or `null` is as good as absent, unless it has to be there. */
function allowNull(value: Node): Node {
  const copy: Node = {}
  const required = (value['required'] ?? []) as string[]
  for (const [key, item] of Object.entries(value)) {
    if (key === 'properties')
      copy[key] = Object.fromEntries(
        Object.entries(item as Record<string, Node>).map(([name, property]) => [
          name,
          required.includes(name) ? allowNull(property) : orNull(allowNull(property)),
        ]),
      )
    else
      copy[key] = isNode(item)
        ? allowNull(item)
        : Array.isArray(item)
          ? item.map((one) => (isNode(one) ? allowNull(one) : one))
          : item
  }
  return copy
}

function orNull(property: Node): Node {
  const { default: value, description, anyOf, ...rest } = property
  const alternatives = [...((anyOf as Node[] | undefined) ?? [rest]), { type: 'null' }]
  return {
    ...(value !== undefined && { default: value }),
    ...(description !== undefined && { description }),
    anyOf: alternatives,
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** By heading (`Top level`, `limits`, `servers[]`): key to what the page says of it, in plain words. */
function tables(page: string): Map<string, [string, string][]> {
  const found = new Map<string, [string, string][]>()
  for (const section of page.split('\n## ').slice(1)) {
    const heading = section.split('\n', 1)[0].replaceAll('`', '')
    const rows = section.split('\n').flatMap((line): [string, string][] => {
      if (!line.startsWith('| `')) return []
      const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
      const text = plain(cells.at(-2) ?? '')
      return text === '' ? [] : [...cells[1].matchAll(/`(\w+)`/g)].map(([, key]) => [key, text])
    })
    found.set(heading, rows)
  }
  return found
}

function plain(markdown: string): string {
  return markdown
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll('`', '')
    .replaceAll('\\|', '|')
}

function propertiesOf(root: Node, heading: string): Record<string, Node> | undefined {
  if (heading === 'Top level') return root['properties'] as Record<string, Node>
  const key = heading.replace(/\[\]$/, '')
  const property = (root['properties'] as Record<string, Node>)[key]
  if (property === undefined) return undefined
  for (const one of [property, ...((property['anyOf'] as Node[] | undefined) ?? [])]) {
    const object = heading.endsWith('[]') ? (one['items'] as Node | undefined) : one
    if (object?.['properties'] !== undefined) return object['properties'] as Record<string, Node>
  }
  return undefined
}
