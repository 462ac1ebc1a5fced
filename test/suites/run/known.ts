import type { Engine } from '../../../src/sandbox/index.js'

/** A file whose output differs for a reason that is none of Sluice's, or that docs/compatibility.md tells. */
export interface Known {
  readonly file: RegExp
  readonly engine?: Engine
  readonly reason: string
}

export const KNOWN: readonly Known[] = []
