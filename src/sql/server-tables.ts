import { Demand } from './function-effects.js'
import { equalsFolded } from './system-variables.js'

/* Tables that tell of the server on which they are read, not of the data that all servers of a topology share. */

const OWN_SCHEMAS: readonly Uint8Array[] = ['mysql', 'performance_schema', 'sys'].map((name) => Buffer.from(name))
const INFORMATION_SCHEMA = Buffer.from('information_schema')

/** Lengths of these four names: most qualifiers are told apart by theirs. */
const LENGTHS: ReadonlySet<number> = new Set([...OWN_SCHEMAS, INFORMATION_SCHEMA].map(({ length }) => length))

/**
 * Tables of information_schema about what is replicated, of either flavour: a replica's answer is as good. Those with statistics,
 * times and the state of events are not among them.
 */
const ABOUT_SCHEMAS: ReadonlySet<string> = new Set(
  (
    'character_sets check_constraints collations collation_character_set_applicability columns columns_extensions ' +
    'column_privileges geometry_columns key_column_usage keywords parameters periods ' +
    'referential_constraints schemata schemata_extensions schema_privileges sequences spatial_ref_sys ' +
    'sql_functions st_geometry_columns st_spatial_reference_systems st_units_of_measure ' +
    'table_constraints table_constraints_extensions table_privileges user_attributes ' +
    'user_privileges views view_routine_usage view_table_usage'
  ).split(' '),
)

/** Tables of information_schema that the statements before leave on their connection. */
const LEFT_BY_STATEMENTS: ReadonlySet<string> = new Set(['optimizer_trace', 'profiling'])

/** Where a read of `schema.table` has to run, as a `Demand`. The schema is [start, end) of the buffer, the table [from, to). */
export function demandOfTable(buffer: Uint8Array, start: number, end: number, from: number, to: number): number {
  if (!LENGTHS.has(end - start)) return Demand.none
  if (OWN_SCHEMAS.some((name) => equalsFolded(buffer, start, end, name))) return Demand.primary
  if (!equalsFolded(buffer, start, end, INFORMATION_SCHEMA)) return Demand.none
  const table = Buffer.from(buffer.buffer, buffer.byteOffset + from, to - from)
    .toString('latin1')
    .toLowerCase()
  if (ABOUT_SCHEMAS.has(table)) return Demand.none
  return LEFT_BY_STATEMENTS.has(table) ? Demand.last : Demand.primary
}

/** Whether names without a schema are those of such tables. */
export function isServersOwn(schema: string): boolean {
  return LENGTHS.has(schema.length) && OWN_NAMES.has(schema.toLowerCase())
}

const OWN_NAMES: ReadonlySet<string> = new Set(['information_schema', 'mysql', 'performance_schema', 'sys'])
