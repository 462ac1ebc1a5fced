import type { Engine } from '../../../src/sandbox/index.js'
import type { Launch } from '../../clients/run/languages.js'
import type { Results } from './results.js'

/** A driver's own tests: where they come from, how they are started, what they print. */
export interface DriverSuite {
  readonly name: string
  /** Fetches it with all it needs. @throws Error saying what could not be had */
  prepare(): Promise<ReadySuite>
}

export interface ReadySuite {
  /** What its tests expect to find, as statements for the primary. There is no other database. */
  readonly statements: readonly string[]
  /** A run that takes longer is ended; through Sluice it may take twice as long. */
  readonly limitMs: number
  launch(run: SuiteRun): Launch & { readonly cwd: string }
  /** @param output all that it printed, standard error last */
  read(output: string): Results
}

/** One run of a suite; the account is root, without a password. */
export interface SuiteRun {
  readonly engine: Engine
  readonly port: number
  readonly socket: string
  /** New and empty. */
  readonly folder: string
}
