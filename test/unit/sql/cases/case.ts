import type { ClassifyOptions, Effect, StatementKind } from '../../../../src/sql/index.js'

export type KindName = keyof typeof StatementKind
export type EffectName = keyof typeof Effect

/** Statements that share a kind and exactly these effects. */
export interface Group {
  kind: KindName
  effects: readonly EffectName[]
  options: Partial<ClassifyOptions>
  statements: readonly string[]
}

export function group(
  kind: KindName,
  effects: readonly EffectName[],
  statements: readonly string[],
  options: Partial<ClassifyOptions> = {},
): Group {
  return { kind, effects, options, statements }
}

/** Statements of MariaDB. */
export function mariadb(kind: KindName, effects: readonly EffectName[], statements: readonly string[]): Group {
  return group(kind, effects, statements, { flavor: 'mariadb' })
}
