import { lstatSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import type { ListenAddress } from '../../shared/snapshot.js'

/** Why an address cannot be listened on. */
export interface ListenProblem {
  readonly inUse: boolean
  /** Completes the sentence `127.0.0.1:6033 ...`. */
  readonly text: string
}

const SOCKET_ANSWER_MS = 1000

/**
 * Binds the address and lets it go again. The file of a unix socket on which nobody answers is removed, as a process
 * that was killed leaves it behind. Resolves with null when the address is free.
 */
export async function checkListenAddress(address: ListenAddress): Promise<ListenProblem | null> {
  if (address.path !== undefined) {
    const problem = await clearSocketFile(address.path)
    if (problem !== null) return problem
  }
  return new Promise((resolve) => {
    const server: Server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(explain(error)))
    server.listen({ ...address, exclusive: true }, () => server.close(() => resolve(null)))
  })
}

async function clearSocketFile(path: string): Promise<ListenProblem | null> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return null
  if (!stat.isSocket()) return { inUse: false, text: 'exists and is not a socket' }
  if (await somebodyAnswers(path)) return { inUse: true, text: 'is in use by another process' }
  unlinkSync(path)
  return null
}

function somebodyAnswers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    // Whoever is too busy to accept is there all the same.
    socket.setTimeout(SOCKET_ANSWER_MS, () => end(true))
    socket.once('connect', () => end(true))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code === 'EAGAIN' || error.code === 'EACCES'))
  })
}

function explain(error: NodeJS.ErrnoException): ListenProblem {
  switch (error.code) {
    case 'EADDRINUSE':
      return { inUse: true, text: 'is in use by another process' }
    case 'EADDRNOTAVAIL':
      return { inUse: false, text: 'is not an address of this machine' }
    case 'EACCES':
    case 'EPERM':
      return { inUse: false, text: 'may not be used by this user' }
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { inUse: false, text: 'has a host name that cannot be resolved' }
    case 'ENOENT':
      return { inUse: false, text: 'is in a folder that does not exist' }
    default:
      return { inUse: false, text: `cannot be listened on (${error.code ?? error.message})` }
  }
}
