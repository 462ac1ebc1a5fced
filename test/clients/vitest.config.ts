import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** The whole client matrix: `npx vitest run --config test/clients/vitest.config.ts`. `-t pymysql` runs one client. */
export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['test/clients/*.matrix.ts'],
    globalSetup: ['test/helpers/cluster-host.ts'],
    hookTimeout: 300_000, // the first start may have to download a server
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2 } },
    reporters: ['./test/clients/run/reporter.ts', './test/helpers/summary-reporter.ts'],
  },
})
