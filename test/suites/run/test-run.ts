/** Servers as mysql-test-run makes them, as far as results depend on it. */
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Connection, RowDataPacket } from 'mysql2/promise'
import type { Engine } from '../../../src/sandbox/index.js'
import { serverConfig } from '../../helpers/proxy.js'
import { Fixture } from './fixture.js'
import type { SuitePrograms } from './programs.js'

/** Names are resolved: tests have accounts of `localhost`. */
const SERVER_OPTIONS: Record<Engine, readonly string[]> = {
  mysql: [
    '--disable-skip-name-resolve',
    '--secure-file-priv=',
    '--max-allowed-packet=64M',
    '--connect-timeout=60',
    '--explain-format=TRADITIONAL_STRICT',
    '--log-bin-trust-function-creators=1',
  ],
  mariadb: [
    '--disable-skip-name-resolve',
    '--secure-file-priv=',
    '--max-allowed-packet=16M',
    '--connect-timeout=60',
    '--character-set-server=latin1',
    '--default-storage-engine=myisam',
    '--use-stat-tables=preferably',
    '--histogram-type=json_hb',
    '--sort-buffer-size=256K',
    '--max-heap-table-size=1M',
    '--key-buffer-size=1M',
    '--log-bin-trust-function-creators=1',
  ],
}

/**
 * Accounts may require TLS, so Sluice uses it towards the servers.
 * @param consistency level of reads, which tells what a difference is due to: at `strong` the replica answers none
 */
export async function startTestServers(
  programs: SuitePrograms,
  replicas: number,
  consistency: string,
): Promise<Fixture> {
  const { engine, files, timeZones } = programs
  const fixture = await Fixture.start(engine, {
    replicas,
    serverOptions: SERVER_OPTIONS[engine],
    config: ({ servers }) => ({
      servers: servers.map((server) => serverConfig(server, { ssl_mode: 'preferred' })),
      consistency: { level: consistency },
    }),
    prepare: (root) => prepare(root, timeZones),
  })
  // Files of the suites are named from the server's data folder.
  symlinkSync(join(files, 'std_data'), join(fixture.varDir, 'std_data'))
  return fixture
}

/** `mtr` is what tests tell of the messages that they cause in the server's log. */
async function prepare(root: Connection, timeZones: string): Promise<void> {
  await root.query('USE mysql')
  await root.query(readFileSync(timeZones, 'utf8'))
  await root.query('CREATE DATABASE mtr')
  await root.query('CREATE PROCEDURE mtr.add_suppression(pattern TEXT) DO 0')
  await openTestDatabases(root)
}

/** Everybody may do everything in `test` and `test_...`, as after mysql_install_db of old. */
async function openTestDatabases(root: Connection): Promise<void> {
  const [columns] = await root.query<RowDataPacket[]>("SHOW COLUMNS FROM mysql.db LIKE '%priv'")
  const rights = columns.map(({ Field }) => String(Field)).filter((name) => name !== 'Grant_priv')
  for (const database of ['test', 'test\\_%']) {
    await root.query('INSERT INTO mysql.db SET Host = ?, User = ?, ?', [
      '%',
      '',
      { Db: database, ...Object.fromEntries(rights.map((name) => [name, 'Y'])) },
    ])
  }
  await root.query('FLUSH PRIVILEGES')
}
