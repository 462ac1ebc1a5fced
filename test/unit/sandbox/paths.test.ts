import { homedir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { cacheFolder, defaultSandboxFolder } from '../../../src/sandbox/paths.js'

describe('the folders', () => {
  it('for unpacked servers: the one given, SLUICE_CACHE_DIR, then what XDG says', () => {
    const env = { SLUICE_CACHE_DIR: '/own', XDG_CACHE_HOME: '/xdg' }
    expect(cacheFolder('/given', env)).toBe('/given')
    expect(cacheFolder(undefined, env)).toBe('/own')
    expect(cacheFolder(undefined, { XDG_CACHE_HOME: '/xdg' })).toBe('/xdg/sluice')
    expect(cacheFolder(undefined, {})).toBe(`${homedir()}/.cache/sluice`)
  })

  it('for the sandbox: what XDG says', () => {
    expect(defaultSandboxFolder({ XDG_STATE_HOME: '/xdg' })).toBe('/xdg/sluice/sandbox')
    expect(defaultSandboxFolder({})).toBe(`${homedir()}/.local/state/sluice/sandbox`)
  })
})
