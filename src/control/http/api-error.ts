/** An answer that is no success: `{"error": {"code", "message"}}`. */
export class ApiError extends Error {
  readonly status: number
  /** Stable, in kebab-case. */
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
    this.headers = headers
  }
}
