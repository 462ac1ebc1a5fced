export { changesAccounts } from './accounts.js'
export { type AdvisoryLocks, advisoryLocks } from './advisory-locks.js'
export { Classifier } from './classifier.js'
export { diagnosticsTargets } from './diagnostics.js'
export { type Digest, Digester, digestHex, digestText } from './digest.js'
export { type HandlerNames, handlerNames } from './handler-names.js'
export {
  Effect,
  explainEffects,
  Hint,
  PINNING_EFFECTS,
  StatementKind,
  StatementKindName,
  UNCACHEABLE_EFFECTS,
} from './kinds.js'
export { parseSet } from './set-statement.js'
export { splitStatements } from './split.js'
export { ONE_CONNECTION_VARIABLES } from './system-variables.js'
export { type TablesIn, tablesRead, tablesWritten } from './tables.js'
export { type NamingOptions, type TemporaryTables, temporaryTables } from './temporary-tables.js'
export type { Classified, ClassifyOptions, FunctionCatalogue, LexicalOptions, SetAssignment } from './types.js'
export { EMPTY_CATALOGUE } from './types.js'
export { VERBS, type VerbName, verbOf } from './verbs.js'
