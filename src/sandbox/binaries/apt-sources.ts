/**
 * Reads APT's lists of package sources, in the one-line format and in deb822 (`.sources`); see sources.list(5).
 * Only what is needed to ask the same mirror, with the same key, for another suite.
 */

export interface AptSource {
  uris: readonly string[]
  suites: readonly string[]
  components: readonly string[]
  /** Value of Signed-By: a path, a fingerprint, or a whole key over several lines as deb822 allows. */
  signedBy?: string
}

/** One-line format: `deb [ option=value ... ] uri suite component ...`. Disabled, source and broken lines are left out. */
export function parseOneLineSources(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line)
    if (match?.[2] === undefined || match[3] === undefined) return []
    const signedBy = /(?:^|\s)signed-by=(\S+)/.exec(match[1] ?? '')?.[1]
    return [withKey({ uris: [match[2]], suites: [match[3]], components: words(match[4] ?? '') }, signedBy)]
  })
}

/** deb822 format: paragraphs of `Field: value`, continuation lines begin with a blank, `#` begins a comment line. */
export function parseDeb822Sources(text: string): AptSource[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'))
  const paragraphs = lines.join('\n').split(/\n[ \t]*\n+/)
  return paragraphs.flatMap((paragraph) => {
    const fields = parseFields(paragraph)
    const isOff = /^(no|false|without|off|disable)$/i.test(fields.get('enabled') ?? '')
    if (isOff || !words(fields.get('types') ?? '').includes('deb')) return []
    const [uris, suites, components] = ['uris', 'suites', 'components'].map((name) => words(fields.get(name) ?? ''))
    if (!uris?.length || !suites?.length) return []
    return [withKey({ uris, suites, components: components ?? [] }, fields.get('signed-by'))]
  })
}

/** The paragraph for one suite (or several) of a source, in deb822 format; `deb-src` for its source packages. */
export function formatDeb822Source(
  { uris, suites, components, signedBy }: AptSource,
  type: 'deb' | 'deb-src' = 'deb',
): string {
  const fields = [
    `Types: ${type}`,
    `URIs: ${uris.join(' ')}`,
    `Suites: ${suites.join(' ')}`,
    `Components: ${components.join(' ')}`,
  ]
  if (signedBy !== undefined) fields.push(`Signed-By: ${signedBy}`)
  return `${fields.join('\n')}\n`
}

/**
 * The sources of the distribution's own archive: those that carry the suite the machine runs (its codename, or stable or
 * testing where the machine follows those), with the suites made from it (`-updates`, `-security`, ...).
 */
export function archiveSources(sources: readonly AptSource[], codename: string): AptSource[] {
  const bases = [codename, 'stable', 'testing', 'unstable', 'sid']
  const isOwn = (suite: string) => bases.some((base) => suite === base || suite.startsWith(`${base}-`))
  return sources.flatMap((source) => {
    const suites = source.suites.filter(isOwn)
    return suites.length > 0 && source.components.includes('main') ? [{ ...source, suites, components: ['main'] }] : []
  })
}

/** The same mirror and key, for another suite: the first of the machine's sources that holds a whole release. */
export function sourceForSuite(sources: readonly AptSource[], codename: string, suite: string): AptSource | undefined {
  const isWhole = (name: string) => !/-(updates|security|proposed-updates|backports(-sloppy)?)$|\//.test(name)
  const base = archiveSources(sources, codename).find((source) => source.suites.some(isWhole))
  return base === undefined ? undefined : { ...base, suites: [suite] }
}

function parseFields(paragraph: string): Map<string, string> {
  const fields = new Map<string, string>()
  let last = ''
  for (const line of paragraph.split('\n')) {
    const match = /^([^\s:]+):\s*(.*)$/.exec(line)
    if (match?.[1] !== undefined) {
      last = match[1].toLowerCase()
      fields.set(last, (match[2] ?? '').trimEnd())
    } else if (/^\s+\S/.test(line) && last !== '') {
      fields.set(last, `${fields.get(last)}\n${line}`)
    }
  }
  return fields
}

function withKey(source: AptSource, signedBy: string | undefined): AptSource {
  return signedBy === undefined ? source : { ...source, signedBy }
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}
