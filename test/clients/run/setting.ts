import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createConnection } from 'mysql2/promise'
import { generate } from 'selfsigned'
import { afterAll } from 'vitest'
import type { Account, Cluster, Engine } from '../../../src/sandbox/index.js'
import { freePorts } from '../../../src/sandbox/ports.js'
import { ownCluster } from '../../helpers/cluster.js'
import { type RunningProxy, startProxy } from '../../helpers/proxy.js'

/** Where a script connects to: the server itself or Sluice. */
export interface Target {
  readonly port: number
  readonly socket: string
}

/** `configured` is in Sluice's list of users, `passthrough` is known to the servers alone. */
export type AccountKind = 'configured' | 'passthrough'

export interface Login {
  readonly account: Account
  /** For clients that change the user of a connection. */
  readonly other: Account
}

/** One password: some servers show what is made of it. */
const account = (user: string): Account => ({ user, password: 'matrix p@ss' })

/** Names of one length, since some results tell their width. */
export const LOGINS: Readonly<Record<AccountKind, Login>> = {
  configured: { account: account('matrix_a'), other: account('matrix_c') },
  passthrough: { account: account('matrix_b'), other: account('matrix_d') },
}

const FIXTURE = readFileSync(fileURLToPath(new URL('../fixture.sql', import.meta.url)), 'utf8').split(/^;;\n/m)
const BIG_FILE_ROWS = 60_000

const folders: string[] = []

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A cluster with Sluice in front of it, both with the same certificate, and files for LOAD DATA LOCAL. */
export interface Setting {
  readonly cluster: Cluster
  readonly proxy: RunningProxy
  readonly direct: Target
  readonly through: Target
  /** Of the certificate, for clients that verify it. */
  readonly ca: string
  /** Folder with rows.csv, empty.csv and big.csv. */
  readonly files: string
  /** Makes the database as the fixture has it, on all servers. */
  resetDatabase(name: string): Promise<void>
}

/** Everything is ended and removed after the file's tests. */
export async function makeSetting(engine: Engine): Promise<Setting> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-clients-'))
  folders.push(folder)
  const { cert, key } = await writeCertificate(folder)
  const cluster = await ownCluster(engine, {
    serverOptions: [`--ssl-cert=${cert}`, `--ssl-key=${key}`, `--ssl-ca=${cert}`],
  })
  await createAccounts(cluster)
  const socket = join(folder, 'sluice.sock')
  const logins = LOGINS.configured
  const users = [logins.account, logins.other].map(({ user: name, password }) => ({ name, password }))
  const [port] = await freePorts(1)
  const proxy = await startProxy(cluster, {
    users,
    tls: { cert, key },
    listen: [`127.0.0.1:${port}`, `unix:${socket}`],
  })
  const direct = { port: cluster.primary.port, socket: cluster.primary.socket }
  const files = writeFiles(folder)
  const resetDatabase = (name: string) => fillDatabase(cluster, name)
  return { cluster, proxy, direct, through: { port, socket }, ca: cert, files, resetDatabase }
}

async function writeCertificate(folder: string): Promise<{ cert: string; key: string }> {
  const altNames = [
    { type: 2, value: 'localhost' },
    { type: 7, ip: '127.0.0.1' },
  ] as const
  const pair = await generate([{ name: 'commonName', value: 'localhost' }], {
    keySize: 2048,
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + 10 * 86_400_000),
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [...altNames] },
    ],
  })
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  writeFileSync(cert, pair.cert)
  writeFileSync(key, pair.private, { mode: 0o600 })
  return { cert, key }
}

async function createAccounts(cluster: Cluster): Promise<void> {
  const connection = await createConnection(cluster.primary.root())
  for (const { account, other } of Object.values(LOGINS)) {
    for (const { user, password } of [account, other]) {
      await connection.query(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'`)
      await connection.query(`GRANT PROCESS, RELOAD ON *.* TO '${user}'@'%'`)
      await connection.query(`GRANT ALL ON \`matrix\\_%\`.* TO '${user}'@'%'`)
    }
  }
  await connection.end()
  await cluster.waitForReplicas()
}

async function fillDatabase(cluster: Cluster, name: string): Promise<void> {
  const connection = await createConnection({ ...cluster.primary.root(), charset: 'utf8mb4' })
  await connection.query(`DROP DATABASE IF EXISTS ${name}`)
  await connection.query(`CREATE DATABASE ${name} DEFAULT CHARACTER SET utf8mb4`)
  await connection.query(`USE ${name}`)
  for (const statement of FIXTURE) await connection.query(statement)
  // Plans and what dumps say of the tables would otherwise depend on when the server last looked.
  await connection.query('ANALYZE TABLE all_types, items, child, numbers')
  await connection.end()
  await cluster.waitForReplicas()
}

function writeFiles(folder: string): string {
  const files = join(folder, 'files')
  mkdirSync(files)
  writeFileSync(join(files, 'rows.csv'), '1,one,first\n2,Grüße 😀,\\N\n3,three\n1,again,duplicate\nx,bad,number\n')
  writeFileSync(join(files, 'empty.csv'), '')
  const rows = Array.from({ length: BIG_FILE_ROWS }, (_, row) => `${row + 1000},name ${row},${'-'.repeat(row % 40)}\n`)
  writeFileSync(join(files, 'big.csv'), rows.join(''))
  return files
}
