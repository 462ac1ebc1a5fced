import type { Backend } from './backend.js'

/** The server has none of a connection's statements any more: it is gone, or was reset. */
export function dropStatements(backend: Backend): void {
  for (const there of [...backend.statements]) there.forget()
}
