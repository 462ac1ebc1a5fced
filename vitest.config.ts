import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: ['test/helpers/cluster-host.ts'],
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 300_000, // the first start may have to download a server,
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2 } },
    reporters: ['default', './test/helpers/summary-reporter.ts'],
  },
})
