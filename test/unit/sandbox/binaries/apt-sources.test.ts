import { describe, expect, it } from 'vitest'
import {
  archiveSources,
  formatDeb822Source,
  parseDeb822Sources,
  parseOneLineSources,
  sourceForSuite,
} from '../../../../src/sandbox/binaries/apt-sources.js'

const MIRROR = 'http://packages.example/debian'
const KEYRING = '/usr/share/keyrings/archive.gpg'

describe('the one-line format', () => {
  it('gives address, suite, components and key of each line', () => {
    const text = [
      '# the archive',
      `deb ${MIRROR} bookworm main contrib # comment`,
      `deb [arch=amd64 signed-by=${KEYRING}] ${MIRROR} bookworm-updates main`,
      `deb-src ${MIRROR} bookworm main`,
      `#deb ${MIRROR} trixie main`,
      'deb',
      '',
    ].join('\n')
    expect(parseOneLineSources(text)).toEqual([
      { uris: [MIRROR], suites: ['bookworm'], components: ['main', 'contrib'] },
      { uris: [MIRROR], suites: ['bookworm-updates'], components: ['main'], signedBy: KEYRING },
    ])
  })

  it('reads lines that are indented and separated by tabs', () => {
    const [source] = parseOneLineSources(`  deb\t[ signed-by=${KEYRING} arch=amd64 ]\t${MIRROR}\tsid\tmain`)
    expect(source).toEqual({ uris: [MIRROR], suites: ['sid'], components: ['main'], signedBy: KEYRING })
  })
})

describe('the deb822 format', () => {
  it('gives every paragraph of binary packages, with comments and lists over several lines', () => {
    const text = `# managed
Types: deb deb-src
URIs: ${MIRROR}
# another comment
Suites: bookworm
  bookworm-updates
Components: main
Signed-By: ${KEYRING}

Types: deb-src
URIs: ${MIRROR}
Suites: bookworm
Components: main
`
    expect(parseDeb822Sources(text)).toEqual([
      { uris: [MIRROR], suites: ['bookworm', 'bookworm-updates'], components: ['main'], signedBy: KEYRING },
    ])
  })

  it('leaves out what is switched off', () => {
    const paragraph = `Types: deb\nURIs: ${MIRROR}\nSuites: sid\nComponents: main\n`
    expect(parseDeb822Sources(`Enabled: no\n${paragraph}`)).toEqual([])
    expect(parseDeb822Sources(`enabled: yes\n${paragraph}`)).toHaveLength(1)
  })

  it('separates paragraphs by lines with blanks too', () => {
    const paragraph = `Types: deb\nURIs: ${MIRROR}\nSuites: sid\nComponents: main`
    expect(parseDeb822Sources(`${paragraph}\n \t\n\n${paragraph}\n`)).toHaveLength(2)
  })

  it('keeps a key that is written into the file', () => {
    const key = '\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----'
    const text = `Types: deb\nURIs: ${MIRROR}\nSuites: bookworm\nComponents: main\nSigned-By:${key}\n`
    const [source] = parseDeb822Sources(text)
    expect(source?.signedBy).toBe(key)
    expect(parseDeb822Sources(formatDeb822Source(source!))).toEqual([source])
  })

  it('tells source packages from others', () => {
    const source = { uris: [MIRROR], suites: ['bookworm'], components: ['main'] }
    expect(formatDeb822Source(source, 'deb-src')).toBe(
      `Types: deb-src\nURIs: ${MIRROR}\nSuites: bookworm\nComponents: main\n`,
    )
    expect(parseDeb822Sources(formatDeb822Source(source, 'deb-src'))).toEqual([])
  })
})

describe('the archive among the sources', () => {
  const archive = { uris: [MIRROR], suites: ['bookworm', 'bookworm-updates'], components: ['main', 'contrib'] }
  const security = { uris: [`${MIRROR}-security`], suites: ['bookworm-security'], components: ['main'] }
  const vendor = { uris: ['https://vendor.example/apt'], suites: ['nodistro'], components: ['main'] }

  it('is what carries the suite the machine runs, with its security updates', () => {
    const found = archiveSources([vendor, security, archive], 'bookworm')
    expect(found.map(({ uris }) => uris[0])).toEqual([`${MIRROR}-security`, MIRROR])
    expect(found.every(({ components }) => components.join() === 'main')).toBe(true)
  })

  it('is asked for another suite at the mirror that holds whole releases', () => {
    const source = sourceForSuite([vendor, security, { ...archive, signedBy: KEYRING }], 'bookworm', 'sid')
    expect(source).toEqual({ uris: [MIRROR], suites: ['sid'], components: ['main'], signedBy: KEYRING })
  })

  it('is found under the names stable and unstable too', () => {
    expect(sourceForSuite([{ ...archive, suites: ['stable'] }], 'bookworm', 'sid')?.uris).toEqual([MIRROR])
    expect(sourceForSuite([{ ...archive, suites: ['unstable'] }], '', 'sid')?.uris).toEqual([MIRROR])
  })

  it('may be missing', () => {
    expect(sourceForSuite([vendor, security], 'bookworm', 'sid')).toBeUndefined()
  })
})
