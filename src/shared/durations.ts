const MS_MAX = 126_144_000_000

/**
 * `500ms`, `5s` or plain seconds (`5`, `0.5`), as milliseconds; -1: it is none of these, or over 4 years (ProxySQL's largest
 * max_replication_lag).
 */
export function parseLagMs(text: string): number {
  const found = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|)$/i.exec(text.trim())
  if (found === null) return -1
  const ms = Math.round(Number(found[1]) * (found[2]?.toLowerCase() === 'ms' ? 1 : 1000))
  return ms <= MS_MAX ? ms : -1
}
