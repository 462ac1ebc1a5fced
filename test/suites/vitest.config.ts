import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The servers' own test suites: `npx vitest run --config test/suites/vitest.config.ts`. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/suites/*.suite.ts'],
    globalSetup: ['test/helpers/cluster-host.ts'],
    hookTimeout: 300_000, // the first start may have to download a server
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2 } },
    reporters: ['./test/helpers/summary-reporter.ts', 'dot'],
  },
})
