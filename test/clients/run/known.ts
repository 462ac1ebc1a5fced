/** A difference between the server and Sluice that is there for a reason. All patterns have to fit. */
export interface Known {
  readonly reason: string
  /** Name of the case. */
  readonly name: RegExp
  readonly client?: RegExp
  readonly engine?: RegExp
  readonly account?: RegExp
  /** What the case prints, without its name. */
  readonly direct?: RegExp
  readonly through?: RegExp
}

export const KNOWN: readonly Known[] = []
