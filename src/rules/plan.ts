import type { CompiledRule } from './compiled-rule.js'
import { add, newRuling, type Ruling } from './ruling.js'

/** Gives the text of a statement when a rule has to look at it. */
export interface TextSource {
  read(): string
  /** Only its beginning is known: it cannot be rewritten. */
  readonly cut: boolean
}

/** Names the hostgroup of mysql_query_rules_fast_routing; -1: it has none. */
export type FastRouting = (flagIN: number) => number

/** In characters. A text that is rewritten may become longer, but no packet on the wire is longer than 16 MiB. */
export const REWRITTEN_LENGTH_MAX = 4 << 20

/** What remains to be decided for statements of one digest from one origin that begin with the same flag. */
export class Plan {
  readonly #flagIN: number
  readonly #steps: readonly CompiledRule[]
  readonly #fastRouting: FastRouting
  /** Undefined: it depends on the text. */
  readonly #settled: Ruling | null | undefined

  /** @param rules those that match by origin and digest, in their order */
  constructor(rules: readonly CompiledRule[], flagIN: number, fastRouting: FastRouting) {
    this.#flagIN = flagIN
    this.#fastRouting = fastRouting
    this.#steps = reachable(rules, flagIN)
    const dependsOnText = this.#steps.some(({ pattern }) => pattern !== null)
    this.#settled = dependsOnText ? undefined : this.#run(NO_TEXT)
  }

  /** What the rules say; null: nothing, none matches. */
  rule(source: TextSource): Ruling | null {
    return this.#settled === undefined ? this.#run(source) : this.#settled
  }

  #run(source: TextSource): Ruling | null {
    const ruling = newRuling()
    let flag = this.#flagIN
    let text: string | null = null
    let applied = false
    for (const step of this.#steps) {
      const { rule, pattern, replacement } = step
      if (rule.flagIN !== flag) continue
      if (pattern !== null) {
        text ??= source.read()
        if (!step.matchesText(text)) continue
        if (replacement !== null) {
          const replaced: string | null = source.cut
            ? null
            : pattern.replace(text, replacement, rule.global, REWRITTEN_LENGTH_MAX)
          if (replaced === null) ruling.notRewritten = `query rule ${rule.ruleId} would rewrite a text that is too long`
          else if (replaced !== text) ruling.rewritten = text = replaced
        }
      }
      add(step, ruling)
      flag = rule.flagOUT ?? flag
      if (rule.apply) {
        applied = true
        break
      }
    }
    const hostgroup = applied ? -1 : this.#fastRouting(flag)
    if (hostgroup >= 0) {
      ruling.hostgroup = hostgroup
      ruling.hostgroupReason = `fast routing names hostgroup ${hostgroup}`
    }
    return ruling.matched.length === 0 && hostgroup < 0 ? null : ruling
  }
}

/** Leaves out the rules whose flag no statement can have when they are looked at. */
function reachable(rules: readonly CompiledRule[], flagIN: number): CompiledRule[] {
  let flags = new Set([flagIN])
  const found: CompiledRule[] = []
  for (const compiled of rules) {
    const { rule, pattern } = compiled
    if (!flags.has(rule.flagIN)) continue
    found.push(compiled)
    const isCertain = pattern === null && flags.size === 1
    if (isCertain && rule.apply) break
    if (rule.flagOUT === undefined) continue
    if (isCertain) flags = new Set()
    flags.add(rule.flagOUT)
  }
  return found
}

const NO_TEXT: TextSource = { read: () => '', cut: false }
