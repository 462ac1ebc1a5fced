import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { formatAptConfig, parseAptProgress, parseOsRelease } from '../../../../src/sandbox/binaries/apt-config.js'
import { run } from '../../../../src/sandbox/run.js'

describe('the configuration for a private apt', () => {
  it('makes apt keep everything in that folder and run no hook of the machine', async ({ skip }) => {
    const work = mkdtempSync(join(tmpdir(), 'sluice-apt-'))
    onTestFinished(() => rmSync(work, { recursive: true, force: true }))
    writeFileSync(join(work, 'apt.conf'), formatAptConfig(work))
    const result = await run(['apt-config', '-c', join(work, 'apt.conf'), 'dump']).catch(() =>
      skip('there is no apt here'),
    )
    const settings = result.output.split('\n')
    for (const [name, value] of [
      ['Dir::State', work],
      ['Dir::State::status', join(work, 'status')],
      ['Dir::Cache', join(work, 'cache')],
      ['Dir::Etc::sourcelist', '/dev/null'],
      ['Dir::Etc::sourceparts', join(work, 'sources')],
    ]) {
      expect(settings.map((line) => line.toLowerCase())).toContain(`${name} "${value}";`.toLowerCase())
    }
    expect(settings.filter((line) => /-Invoke(-Success)?::|Pre-Install-Pkgs::/.test(line))).toEqual([])
  })
})

describe('what apt reports while it downloads', () => {
  it('is read as percent', () => {
    expect(parseAptProgress('dlstatus:60:67.8009:Retrieving file 60 of 60')).toBeCloseTo(67.8)
    expect(parseAptProgress('dlstatus:1:0:Retrieving')).toBe(0)
  })

  it('is ignored when it is about something else', () => {
    expect(parseAptProgress('pmstatus:dpkg:50:Installing')).toBeUndefined()
    expect(parseAptProgress('')).toBeUndefined()
  })
})

describe('os-release', () => {
  it('tells distribution and codename, quoted or not', () => {
    const text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\nID_LIKE="x"\n'
    expect(parseOsRelease(text)).toEqual({ id: 'debian', codename: 'bookworm' })
    expect(parseOsRelease('ID="fedora"\n')).toEqual({ id: 'fedora', codename: '' })
  })
})
