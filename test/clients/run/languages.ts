/** How the languages' own programs are started from packages that were unpacked into a folder, the `prefix`. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { libraryFolders } from '../../../src/sandbox/index.js'
import { MACHINE_C_LIBRARY, type Packages } from './packages.js'

/** How a program is started; what it connects to is told it besides. */
export interface Launch {
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** Of the machine's own suite. */
export const debian = (...names: string[]): Packages => ({ kind: 'debian', names, leaveOut: MACHINE_C_LIBRARY })

export function pythonOf(prefix: string): Launch {
  const env = {
    ...libraries(prefix),
    PYTHONHOME: join(prefix, 'usr'),
    PYTHONPATH: join(prefix, 'usr/lib/python3/dist-packages'),
    PYTHONDONTWRITEBYTECODE: '1',
  }
  return { command: [join(prefix, 'usr/bin/python3')], env }
}

export function phpOf(prefix: string): Launch {
  const program = only(join(prefix, 'usr/bin'), /^php\d+\.\d+$/)
  const extensions = only(join(prefix, 'usr/lib/php'), /^\d{8}$/)
  const settings = ['mysqlnd', 'mysqli', 'pdo', 'pdo_mysql'].map((module) => `-dextension=${module}`)
  return { command: [program, '-n', `-dextension_dir=${extensions}`, ...settings], env: libraries(prefix) }
}

export function perlOf(prefix: string): Launch {
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
  return { command: [join(prefix, 'usr/bin/perl')], env: { ...libraries(prefix), PERL5LIB: include.join(':') } }
}

export function rubyOf(prefix: string): Launch {
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
  return { command: [program, '--disable-gems'], env: { ...libraries(prefix), RUBYLIB: folders.join(':') } }
}

/** The `go` command, in the way of before there were modules: packages of sources are all it may import. It compiles into `build`. */
export function goOf(prefix: string, build: string): Launch {
  mkdirSync(build, { recursive: true })
  const root = only(join(prefix, 'usr/lib'), /^go-\d/)
  const env = {
    GOROOT: root,
    GOPATH: join(prefix, 'usr/share/gocode'),
    GO111MODULE: 'off',
    GOFLAGS: '',
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
    GOCACHE: join(build, 'cache'),
  }
  return { command: [join(root, 'bin/go')], env }
}

/** Where the prefix's libraries are, for programs that run with the machine's own C library. */
export function libraries(prefix: string): Record<string, string> {
  const plugins = libmariadbPlugins(prefix)
  return {
    LD_LIBRARY_PATH: libraryFolders(prefix).join(':'),
    ...(plugins === '' ? {} : { MARIADB_PLUGIN_DIR: join(prefix, plugins) }),
  }
}

export function libmariadbPlugins(prefix: string): string {
  const folder = libraryFolders(prefix)
    .map((path) => join(path, 'libmariadb3/plugin'))
    .find((path) => existsSync(path))
  return folder?.slice(prefix.length + 1) ?? ''
}

/** The one entry of a folder whose name fits; a version is part of it. */
export function only(folder: string, pattern: RegExp): string {
  const found = existsSync(folder) ? readdirSync(folder).filter((name) => pattern.test(name)) : []
  if (found.length === 0) throw new Error(`${folder} holds nothing like ${pattern}`)
  return join(folder, found.sort().at(-1)!)
}

const isVersion = (name: string): boolean => /^\d/.test(name)
