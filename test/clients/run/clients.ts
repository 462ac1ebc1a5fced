import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { libraryFolders, prefixCommand } from '../../../src/sandbox/index.js'
import { cacheFolder } from '../../../src/sandbox/paths.js'
import { run } from '../../../src/sandbox/run.js'
import { fetchPackages, MACHINE_C_LIBRARY, type Packages } from './packages.js'

/** How a client's script is started; what it connects to is in the environment (see README.md). */
export interface Launch {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

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

const debian = (...names: string[]): Packages => ({ kind: 'debian', names, leaveOut: MACHINE_C_LIBRARY })

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
  const prefix = await fetchPackages('python', debian(...names))
  const env = {
    ...libraries(prefix),
    PYTHONHOME: join(prefix, 'usr'),
    PYTHONPATH: join(prefix, 'usr/lib/python3/dist-packages'),
    PYTHONDONTWRITEBYTECODE: '1',
  }
  return { command: [join(prefix, 'usr/bin/python3'), script(`python/${name}.py`)], env }
}

async function php(name: string): Promise<Launch> {
  const prefix = await fetchPackages('php', debian('php-cli', 'php-mysql'))
  const program = only(join(prefix, 'usr/bin'), /^php\d+\.\d+$/)
  const extensions = only(join(prefix, 'usr/lib/php'), /^\d{8}$/)
  const settings = ['mysqlnd', 'mysqli', 'pdo', 'pdo_mysql'].map((module) => `-dextension=${module}`)
  const command = [program, '-n', `-dextension_dir=${extensions}`, ...settings, script(`${name}.php`)]
  return { command, env: libraries(prefix) }
}

async function perl(): Promise<Launch> {
  const prefix = await fetchPackages('perl', debian('perl', 'libdbd-mysql-perl'))
  const folders = libraryFolders(prefix).flatMap((folder) => {
    const version = existsSync(join(folder, 'perl')) ? readdirSync(join(folder, 'perl')) : []
    const perl5 = existsSync(join(folder, 'perl5')) ? readdirSync(join(folder, 'perl5')) : []
    return [
      ...perl5.map((name) => join(folder, 'perl5', name)),
      ...version.map((name) => join(folder, 'perl', name)),
      join(folder, 'perl-base'),
    ]
  })
  const shared = join(prefix, 'usr/share/perl')
  const include = [
    ...folders,
    join(prefix, 'usr/share/perl5'),
    ...readdirSync(shared).map((name) => join(shared, name)),
  ]
  const env = { ...libraries(prefix), PERL5LIB: include.join(':') }
  return { command: [join(prefix, 'usr/bin/perl'), script('dbd-mysql.pl')], env }
}

async function ruby(): Promise<Launch> {
  const prefix = await fetchPackages('ruby', debian('ruby', 'ruby-mysql2'))
  const program = only(join(prefix, 'usr/bin'), /^ruby\d+\.\d+$/)
  const roots = ['usr/lib/ruby', 'usr/lib/ruby/vendor_ruby'].map((name) => join(prefix, name))
  const native = libraryFolders(prefix).flatMap((folder) => [join(folder, 'ruby'), join(folder, 'ruby/vendor_ruby')])
  const folders = [...roots, ...native].flatMap((root) =>
    existsSync(root)
      ? [
          root,
          ...readdirSync(root)
            .filter(isVersion)
            .map((name) => join(root, name)),
        ]
      : [],
  )
  const env = { ...libraries(prefix), RUBYLIB: folders.join(':') }
  return { command: [program, '--disable-gems', script('ruby-mysql2.rb')], env }
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
  const root = only(join(prefix, 'usr/lib'), /^go-\d/)
  const build = join(cacheFolder(), 'clients', 'go-build')
  mkdirSync(build, { recursive: true })
  const env = {
    GOROOT: root,
    GOPATH: join(prefix, 'usr/share/gocode'),
    GO111MODULE: 'off',
    GOFLAGS: '',
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
    GOCACHE: join(build, 'cache'),
  }
  const program = join(build, name)
  const compile = [join(root, 'bin/go'), 'build', '-o', program, script(`${name}.go`)]
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

/** Where the prefix's libraries are, for programs that run with the machine's own C library. */
function libraries(prefix: string): Record<string, string> {
  const plugins = libmariadbPlugins(prefix)
  return {
    LD_LIBRARY_PATH: libraryFolders(prefix).join(':'),
    ...(plugins === '' ? {} : { MARIADB_PLUGIN_DIR: join(prefix, plugins) }),
  }
}

function libmariadbPlugins(prefix: string): string {
  const folder = libraryFolders(prefix)
    .map((path) => join(path, 'libmariadb3/plugin'))
    .find((path) => existsSync(path))
  return folder?.slice(prefix.length + 1) ?? ''
}

/** The one entry of a folder whose name fits; a version is part of it. */
function only(folder: string, pattern: RegExp): string {
  const found = existsSync(folder) ? readdirSync(folder).filter((name) => pattern.test(name)) : []
  if (found.length === 0) throw new Error(`${folder} holds nothing like ${pattern}`)
  return join(folder, found.sort().at(-1)!)
}

const isVersion = (name: string): boolean => /^\d/.test(name)
