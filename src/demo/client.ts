import { accessSync, constants } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Cluster } from '../sandbox/index.js'

/**
 * What a person types to run a command-line client: the one that is installed, or the one that came with the sandbox's
 * server, which needs its own loader and gets a script for that.
 */
export async function clientCommand(cluster: Cluster, folder: string): Promise<string> {
  const names = cluster.engine === 'mysql' ? ['mysql', 'mariadb'] : ['mariadb', 'mysql']
  const installed = names.find(isOnPath)
  if (installed !== undefined) return installed
  const { client } = cluster.binaries
  if (client === undefined) return names[0]
  const script = join(folder, names[0])
  await writeFile(script, `#!/bin/sh\nexec ${client.map(quoted).join(' ')} "$@"\n`, { mode: 0o755 })
  return script
}

function isOnPath(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
