import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { libraryFolders, prefixCommand } from '../../../src/sandbox/index.js'
import { cacheFolder } from '../../../src/sandbox/paths.js'
import { run } from '../../../src/sandbox/run.js'
import {
  debian,
  goOf,
  type Launch,
  libmariadbPlugins,
  libraries,
  only,
  perlOf,
  phpOf,
  pythonOf,
  rubyOf,
} from './languages.js'
import { fetchPackages, type Packages } from './packages.js'

export type { Launch } from './languages.js'

export interface Client {
  readonly name: string
  /** Fetches what the client needs. @throws Error saying what could not be had */
  prepare(): Promise<Launch>
}

const SCRIPTS = fileURLToPath(new URL('../scripts/', import.meta.url))
const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url))

const NPM: Packages = {
  kind: 'npm',
  names: ['mysql2@3', 'mariadb@3', 'knex@3', 'sequelize@6', 'typeorm@0.3', 'reflect-metadata@0.2'],
}

/** The command lines come with their own C library, as the sandbox's servers do: MySQL's is of a newer suite. */
const MYSQL_PROGRAMS: Packages = { kind: 'debian', names: ['mysql-client-core'], suite: 'sid' }
const MARIADB_PROGRAMS: Packages = { kind: 'debian', names: ['mariadb-client'] }

export const CLIENTS: readonly Client[] = [
  { name: 'mysql', prepare: () => program('cli.sh', 'mysql-client', MYSQL_PROGRAMS, ['mysql']) },
  { name: 'mariadb', prepare: () => program('cli.sh', 'mariadb-client', MARIADB_PROGRAMS, ['mariadb']) },
  { name: 'mysqldump', prepare: () => program('dump.sh', 'mysql-client', MYSQL_PROGRAMS, ['mysql', 'mysqldump']) },
  {
    name: 'mariadb-dump',
    prepare: () => program('dump.sh', 'mariadb-client', MARIADB_PROGRAMS, ['mariadb', 'mariadb-dump']),
  },
  { name: 'mysql2', prepare: async () => node('mysql2.mjs', REPOSITORY) },
  ...['mariadb', 'knex', 'sequelize', 'typeorm'].map((name) => ({
    name: name === 'mariadb' ? 'mariadb-connector-nodejs' : name,
    prepare: async () => node(`${name}.mjs`, await fetchPackages('npm', NPM)),
  })),
  ...['pymysql', 'mysqlclient'].map((name) => ({ name, prepare: () => python(`client_${name}`) })),
  ...['mysqli', 'pdo'].map((name) => ({ name: `php-${name}`, prepare: () => php(name) })),
  { name: 'dbd-mysql', prepare: perl },
  { name: 'ruby-mysql2', prepare: ruby },
  { name: 'connector-j', prepare: java },
  { name: 'go-sql-driver', prepare: () => go('go-sql-driver') },
  { name: 'sysbench', prepare: sysbench },
]

const script = (name: string): string => join(SCRIPTS, name)

function node(name: string, modules: string): Launch {
  return { command: [process.execPath, script(name)], env: { CLIENT_MODULES: modules } }
}

/** A script for the shell; the programs' commands are in variables of their names in capitals. */
async function program(name: string, folder: string, packages: Packages, programs: readonly string[]): Promise<Launch> {
  const prefix = await fetchPackages(folder, packages)
  const commands = programs.map((wanted) => {
    const command = prefixCommand(prefix, `usr/bin/${wanted}`)
    if (command === undefined) throw new Error(`${prefix} has no usr/bin/${wanted}`)
    return [wanted.replace('mariadb', 'mysql').replace('-', '').toUpperCase(), command.join(' ')]
  })
  const plugins = join(prefix, folder === 'mariadb-client' ? libmariadbPlugins(prefix) : 'usr/lib/mysql/plugin')
  const env = { ...Object.fromEntries(commands), CLIENT_PLUGINS: plugins }
  return { command: ['bash', script(name)], env }
}

/** For the admin port, which is no server to be compared with: see `test/clients/admin.matrix.ts`. */
export const ADMIN_CLIENTS = {
  pymysql: () => python('admin_pymysql'),
  goSqlDriver: () => go('admin-go'),
}

async function python(name: string): Promise<Launch> {
  const names = ['python3', 'python3-pymysql', 'python3-mysqldb', 'python3-cryptography']
  return withScript(pythonOf(await fetchPackages('python', debian(...names))), `python/${name}.py`)
}

async function php(name: string): Promise<Launch> {
  return withScript(phpOf(await fetchPackages('php', debian('php-cli', 'php-mysql'))), `${name}.php`)
}

async function perl(): Promise<Launch> {
  return withScript(perlOf(await fetchPackages('perl', debian('perl', 'libdbd-mysql-perl'))), 'dbd-mysql.pl')
}

async function ruby(): Promise<Launch> {
  return withScript(rubyOf(await fetchPackages('ruby', debian('ruby', 'ruby-mysql2'))), 'ruby-mysql2.rb')
}

function withScript({ command, env }: Launch, name: string): Launch {
  return { command: [...command, script(name)], env }
}

async function java(): Promise<Launch> {
  const names = ['openjdk-17-jdk-headless', 'libmariadb-java', 'libjna-java']
  const prefix = await fetchPackages('java', debian(...names))
  const home = only(join(prefix, 'usr/lib/jvm'), /^java-17-openjdk/)
  const jars = ['mariadb-java-client', 'jna', 'jna-platform', 'slf4j-api']
    .map((name) => join(prefix, `usr/share/java/${name}.jar`))
    .filter((path) => existsSync(path))
  const memory = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  const native = libraryFolders(prefix)
    .map((folder) => join(folder, 'jni'))
    .find((path) => existsSync(path))
  const jna =
    native === undefined ? [] : [`-Djna.boot.library.path=${native}`, '-Djna.boot.library.name=jnidispatch.system']
  const command = [join(home, 'bin/java'), ...memory, ...jna, '-cp', jars.join(':'), script('ConnectorJ.java')]
  return { command, env: { ...libraries(prefix), JAVA_HOME: home } }
}

/** The driver's sources are a package, so the script is compiled with them, in the way of before there were modules. */
async function go(name: string): Promise<Launch> {
  const prefix = await fetchPackages('go', debian('golang-go', 'golang-github-go-sql-driver-mysql-dev'))
  const build = join(cacheFolder(), 'clients', 'go-build')
  const { command, env } = goOf(prefix, build)
  const program = join(build, name)
  const compile = [...command, 'build', '-o', program, script(`${name}.go`)]
  const { code, output } = await run(compile, { env: { ...process.env, ...env } })
  if (code !== 0) throw new Error(`go build failed: ${output}`)
  return { command: [program], env: {} }
}

async function sysbench(): Promise<Launch> {
  const prefix = await fetchPackages('sysbench', debian('sysbench'))
  const env = {
    ...libraries(prefix),
    SYSBENCH: join(prefix, 'usr/bin/sysbench'),
    SYSBENCH_SHARE: join(prefix, 'usr/share/sysbench'),
  }
  return { command: ['bash', script('sysbench.sh')], env }
}
