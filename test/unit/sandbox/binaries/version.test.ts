import { describe, expect, it } from 'vitest'
import { isSupported, parseServerVersion } from '../../../../src/sandbox/binaries/version.js'

describe('the version a server program prints', () => {
  it.each([
    ['/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))', 'mysql', '9.7.4'],
    ['mysqld  Ver 8.0.36-28 for Linux on x86_64 (Percona Server (GPL), Release 28)', 'mysql', '8.0.36'],
    ['mysqld  Ver 8.4.0 for Linux on aarch64 (MySQL Community Server - GPL)', 'mysql', '8.4.0'],
    ['mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)', 'mariadb', '10.11.19'],
    ['/usr/sbin/mysqld  Ver 11.8.2-MariaDB-ubu2404 for debian-linux-gnu on x86_64', 'mariadb', '11.8.2'],
  ])('%s', (text, engine, version) => {
    expect(parseServerVersion(text)).toEqual({ engine, version })
  })

  it('is not found in other texts', () => {
    expect(parseServerVersion('bash: mysqld: command not found')).toBeUndefined()
    expect(parseServerVersion('GNU bash, version 5.2.15(1)-release')).toBeUndefined()
  })
})

describe('the oldest servers the sandbox runs', () => {
  it.each([
    ['mysql', '8.0.26', true],
    ['mysql', '8.0.25', false],
    ['mysql', '5.7.44', false],
    ['mysql', '8.4.0', true],
    ['mysql', '10.0.0', true],
    ['mariadb', '10.5.9', true],
    ['mariadb', '10.4.30', false],
    ['mariadb', '11.0.1', true],
  ] as const)('%s %s: %s', (engine, version, expected) => {
    expect(isSupported({ engine, version })).toBe(expected)
  })
})
