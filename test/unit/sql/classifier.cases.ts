import { ODD } from './cases/odd.js'
import { READS } from './cases/reads.js'
import { SESSION } from './cases/session.js'
import { SHOW_AND_EXPLAIN } from './cases/show-and-explain.js'
import { SPECIAL_READS } from './cases/special-reads.js'
import { WRITES } from './cases/writes.js'

/** Every group of statements with what the classifier must say of them. */
export const GROUPS = [...READS, ...SPECIAL_READS, ...WRITES, ...SESSION, ...SHOW_AND_EXPLAIN, ...ODD]
