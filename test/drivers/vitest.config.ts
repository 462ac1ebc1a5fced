import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The drivers' own test suites: `npx vitest run --config test/drivers/vitest.config.ts`. `-t pymysql` runs one of them. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/drivers/*.drivers.ts'],
    globalSetup: ['test/helpers/cluster-host.ts'],
    hookTimeout: 300_000, // the first start may have to download a server
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2 } },
    reporters: ['./test/clients/run/reporter.ts', './test/helpers/summary-reporter.ts'],
  },
})
