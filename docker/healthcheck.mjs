// For HEALTHCHECK: status 0 while Sluice says that clients can be served, else 1 with its reason. The image has no curl.
const TIMEOUT_MS = 3000

try {
  const response = await fetch(process.env.SLUICE_READYZ_URL, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  process.stdout.write(await response.text())
  process.exitCode = response.ok ? 0 : 1
} catch (error) {
  process.stdout.write(`${error.cause?.message ?? error.message}\n`)
  process.exitCode = 1
}
