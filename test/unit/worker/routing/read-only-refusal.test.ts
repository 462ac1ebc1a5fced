import { describe, expect, it } from 'vitest'
import { ServerStatus } from '../../../../protocol/index.js'
import { asRefusedByPrimary } from '../../../../src/worker/routing/read-only-refusal.js'

const { AUTOCOMMIT, IN_TRANS, IN_TRANS_READONLY } = ServerStatus
const READ_ONLY = AUTOCOMMIT | IN_TRANS | IN_TRANS_READONLY

const running = (server: string, option: string) =>
  `The ${server} server is running with the ${option} option so it cannot execute this statement`
const err = (message: string, errno = 1290) => ({ errno, sqlState: 'HY000', message })

describe("a replica's refusal to write", () => {
  it.each([
    running('MySQL', '--read-only'),
    running('MySQL', '--super-read-only'),
    running('MariaDB', '--read-only'),
    'Der MariaDB-Server läuft mit der Option --read-only und kann diese Anweisung deswegen nicht ausführen',
  ])('is told as that of the transaction where that is READ ONLY: %s', (message) => {
    const text = 'Cannot execute statement in a READ ONLY transaction'
    const refusal = { errno: 1792, sqlState: '25006' }
    expect(asRefusedByPrimary(err(message), READ_ONLY, 'mysql')).toEqual({ ...refusal, message: `${text}.` })
    expect(asRefusedByPrimary(err(message), READ_ONLY, 'mariadb')).toEqual({ ...refusal, message: text })
  })

  it('stays what it is elsewhere', () => {
    const message = running('MySQL', '--super-read-only')
    for (const status of [0, AUTOCOMMIT, AUTOCOMMIT | IN_TRANS]) {
      expect(asRefusedByPrimary(err(message), status, 'mysql')).toBeNull()
    }
  })

  it('is the only error that is told in other words', () => {
    for (const other of [err(running('MySQL', '--secure-file-priv')), err('Duplicate entry --read-only', 1062)]) {
      expect(asRefusedByPrimary(other, READ_ONLY, 'mysql')).toBeNull()
    }
  })
})
