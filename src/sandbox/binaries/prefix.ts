import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine, Launch } from '../types.js'

const PROGRAMS: Record<Engine, { server: string; client: string }> = {
  mysql: { server: 'usr/sbin/mysqld', client: 'usr/bin/mysql' },
  mariadb: { server: 'usr/sbin/mariadbd', client: 'usr/bin/mariadb' },
}

export interface PrefixPrograms {
  launch: Extract<Launch, { kind: 'process' }>
  client: readonly string[]
}

/**
 * How to run the programs of packages that were unpacked into a folder.
 * @returns undefined when the folder does not hold them
 */
export function prefixPrograms(prefix: string, engine: Engine): PrefixPrograms | undefined {
  const programs = PROGRAMS[engine]
  const server = prefixCommand(prefix, programs.server)
  const client = prefixCommand(prefix, programs.client)
  if (server === undefined || client === undefined) return undefined
  const shareDir = join(prefix, 'usr/share/mysql')
  return {
    launch: {
      kind: 'process',
      command: server,
      options: [
        `--basedir=${join(prefix, 'usr')}`,
        `--lc-messages-dir=${shareDir}`,
        `--character-sets-dir=${join(shareDir, 'charsets')}`,
        `--plugin-dir=${join(prefix, 'usr/lib/mysql/plugin')}`,
      ],
      shareDir,
    },
    client,
  }
}

/**
 * The command that runs a program of packages that were unpacked into `prefix`. They come with all their libraries, the C
 * library included, so it is run by their own dynamic loader (ld.so(8), --library-path): the machine's libraries may be older.
 * @returns undefined when the folder holds no such program, or no loader
 */
export function prefixCommand(prefix: string, program: string): string[] | undefined {
  const libraries = libraryFolders(prefix)
  const loader = libraries.flatMap(loadersIn)[0]
  if (loader === undefined || !existsSync(join(prefix, program))) return undefined
  return [loader, '--library-path', libraries.join(':'), join(prefix, program)]
}

/** lib/TRIPLET and usr/lib/TRIPLET (releases before the merge of the two used both), and MySQL's private ones. */
export function libraryFolders(prefix: string): string[] {
  const roots = ['usr/lib', 'lib'].map((name) => join(prefix, name)).filter((root) => existsSync(root))
  const triplets = roots.flatMap((root) =>
    readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /^[a-z0-9_]+-linux-/.test(entry.name))
      .flatMap((entry) => [join(root, entry.name), join(root, entry.name, 'mysql')]),
  )
  return [...triplets, join(prefix, 'usr/lib/mysql/private')].filter((folder) => existsSync(folder))
}

function loadersIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^ld-linux.*\.so\.\d+$/.test(name))
    .map((name) => join(folder, name))
}
