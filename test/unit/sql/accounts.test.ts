import { describe, expect, it } from 'vitest'
import { changesAccounts } from '../../../src/sql/index.js'
import { OPTIONS } from './options.js'

const changes = (text: string) => {
  const buffer = Buffer.from(text)
  return changesAccounts(buffer, 0, buffer.length, OPTIONS)
}

describe('statements that change accounts', () => {
  it.each([
    'GRANT SELECT ON *.* TO a',
    '/* c */ revoke all on d.* from a',
    'CREATE USER IF NOT EXISTS a',
    'CREATE OR REPLACE USER a',
    'create role r',
    'ALTER USER a IDENTIFIED BY "x"',
    'ALTER USER a DEFAULT ROLE r',
    'DROP USER a',
    'DROP ROLE r',
    'RENAME USER a TO b',
    "SET PASSWORD = 'x'",
    'SET DEFAULT ROLE r FOR a',
    'FLUSH PRIVILEGES',
    'FLUSH LOCAL PRIVILEGES',
    'SET GLOBAL activate_all_roles_on_login = ON',
    "SET @@sort_buffer_size = 1, @@GLOBAL.Mandatory_Roles = 'r'",
    "SET PERSIST activate_mandatory_roles = 'OFF'",
  ])('%s', (text) => expect(changes(text)).toBe(true))

  it.each([
    '',
    'CREATE TABLE user (a INT)',
    'CREATE OR REPLACE VIEW role AS SELECT 1',
    'DROP TABLE user',
    'RENAME TABLE user TO role',
    'ALTER TABLE t ADD user INT',
    'FLUSH TABLES user',
    'SET ROLE r',
    'SET GLOBAL max_connections = 5',
    'SET PERSIST_ONLY mandatory_roles = "r"',
    'SET @mandatory_roles = 1',
    'SELECT user()',
  ])('not: %s', (text) => expect(changes(text)).toBe(false))
})
