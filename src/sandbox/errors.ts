/** Something a person can act on: the message says what happened and what to do. */
export class SandboxError extends Error {
  override readonly name = 'SandboxError'
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '')
}
