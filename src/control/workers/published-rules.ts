import { NO_QUERY_RULES, type QueryRules } from '../../shared/query-rules.js'

/** The query rules that workers go by, and how often each has matched since they were loaded. */
export class PublishedRules {
  #current: QueryRules = NO_QUERY_RULES
  #source: Omit<QueryRules, 'version'> = NO_QUERY_RULES
  /** To tell rules that were read again from others. */
  #text = textOf(NO_QUERY_RULES)
  readonly #hits = new Map<number, number>()

  get current(): QueryRules {
    return this.#current
  }

  /** Takes the rules of a configuration. Those that are the same as before keep their version, and their hits. */
  take(source: Omit<QueryRules, 'version'>): void {
    if (source === this.#source) return
    this.#source = source
    const text = textOf(source)
    if (text === this.#text) return
    this.#text = text
    this.#current = { version: this.#current.version + 1, rules: source.rules, fastRouting: source.fastRouting }
    this.#hits.clear()
    for (const { ruleId, active } of source.rules) if (active) this.#hits.set(ruleId, 0)
  }

  /** Adds what a worker has counted; hits of rules that are not in force any more are dropped. */
  count(version: number, hits: Readonly<Record<number, number>>): void {
    if (version !== this.#current.version) return
    for (const [id, count] of Object.entries(hits))
      this.#hits.set(Number(id), (this.#hits.get(Number(id)) ?? 0) + count)
  }

  /** Statements by rule_id, for all rules that are active. */
  get hits(): ReadonlyMap<number, number> {
    return this.#hits
  }
}

function textOf({ rules, fastRouting }: Omit<QueryRules, 'version'>): string {
  return JSON.stringify([rules, fastRouting])
}
