import { Buffer } from 'node:buffer'
import { COLLATIONS, MARIADB_NAMES, UCA1400_BASE, UCA1400_TAILORINGS } from './charset-table.js'

export interface Collation {
  readonly id: number
  readonly name: string
  readonly charset: string
}

/** The two families disagree about five Croatian collations and about the default of utf8mb4. */
export type ServerFamily = 'mysql' | 'mariadb'

interface Tables {
  readonly byId: Map<number, Collation>
  readonly byName: Map<string, Collation>
  readonly defaults: Map<string, Collation>
}

const tables: Record<ServerFamily, Tables> = { mysql: buildTables('mysql'), mariadb: buildTables('mariadb') }

/** The collation with this id, or undefined. Ids above 255 do not fit into a handshake response. */
export function collationById(id: number, family: ServerFamily = 'mysql'): Collation | undefined {
  return tables[family].byId.get(id)
}

/** The id of a collation; upper case and the old names `utf8_...` are understood. */
export function collationIdByName(name: string, family: ServerFamily = 'mysql'): number | undefined {
  const lower = name.toLowerCase()
  const current = lower.startsWith('utf8_') ? `utf8mb3_${lower.slice(5)}` : lower
  return tables[family].byName.get(current)?.id
}

/**
 * The id of the collation that a character set has where none is named. For MariaDB it is the compiled-in one; from
 * 11.5 on the variable `character_set_collations` may name another.
 */
export function defaultCollationOfCharset(charset: string, family: ServerFamily = 'mysql'): number | undefined {
  const lower = charset.toLowerCase()
  return tables[family].defaults.get(lower === 'utf8' ? 'utf8mb3' : lower)?.id
}

/**
 * Text of a client in the character set of its collation. latin1 (which to MySQL is cp1252) is decoded as such, all
 * else as UTF-8: that covers the names of accounts and schemas in every set whose ASCII part is ASCII.
 */
export function decodeText(bytes: Buffer, collation: number): string {
  return bytes.toString(collationById(collation)?.charset === 'latin1' ? 'latin1' : 'utf8')
}

/** The other way round. */
export function encodeText(text: string, collation: number): Buffer {
  return Buffer.from(text, collationById(collation)?.charset === 'latin1' ? 'latin1' : 'utf8')
}

function buildTables(family: ServerFamily): Tables {
  const built: Tables = { byId: new Map(), byName: new Map(), defaults: new Map() }
  const add = (id: number, name: string, charset: string): Collation => {
    const collation = { id, name, charset }
    built.byId.set(id, collation)
    // Two ids share a name only in the Croatian case, where the family's own one comes later or alone.
    if (family === 'mariadb' || !built.byName.has(name)) built.byName.set(name, collation)
    return collation
  }
  for (const [charset, list] of Object.entries(COLLATIONS)) {
    for (const [id, suffix] of entries(list)) {
      const name = suffix === '' ? charset : `${charset}_${suffix}`
      const collation = add(id, (family === 'mariadb' && MARIADB_NAMES[id]) || name, charset)
      if (!built.defaults.has(charset)) built.defaults.set(charset, collation)
    }
  }
  for (const [charset, base] of Object.entries(UCA1400_BASE)) {
    for (const [index, language] of entries(UCA1400_TAILORINGS)) {
      for (let variant = 0; variant < 8; variant++) {
        const parts = [charset, 'uca1400', language, variant & 4 ? 'nopad' : '', variant & 2 ? 'as' : 'ai']
        const name = `${parts.filter((part) => part !== '').join('_')}_${variant & 1 ? 'cs' : 'ci'}`
        add(base + 8 * index + variant, name, charset)
      }
    }
  }
  if (family === 'mariadb') {
    built.defaults.set('utf8mb4', built.byId.get(45) as Collation)
    built.defaults.delete('gb18030')
  }
  return built
}

/** Reads `id:suffix id:suffix ...`. */
function entries(list: string): [number, string][] {
  return list
    .trim()
    .split(/\s+/)
    .map((entry) => {
      const [id, suffix = ''] = entry.split(':')
      return [Number(id), suffix]
    })
}
