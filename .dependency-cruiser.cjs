/** Who may import whom. The layering is explained in docs/architecture.md. */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'protocol-is-pure',
      comment: 'protocol/ turns bytes into values: it may use three Node modules and nothing else',
      severity: 'error',
      from: { path: '^protocol/' },
      to: { pathNot: ['^protocol/', '^(node:)?(crypto|buffer|zlib)$'] },
    },
    {
      name: 'shared-and-sql-are-leaves',
      severity: 'error',
      from: { path: '^src/(shared|sql)/' },
      to: { path: '^src/', pathNot: '^src/$1/' },
    },
    {
      name: 'rules-are-pure',
      comment: 'query rules are checked by control and matched by workers: the same code, which knows neither',
      severity: 'error',
      from: { path: '^src/rules/' },
      to: { pathNot: ['^src/(rules|shared|sql)/', 'node_modules/re2js/'] },
    },
    {
      name: 'control-never-imports-worker',
      severity: 'error',
      from: { path: '^src/control/' },
      to: { path: '^src/', pathNot: '^src/(control|shared|sql|rules)/' },
    },
    {
      name: 'worker-never-imports-control',
      severity: 'error',
      from: { path: '^src/worker/' },
      to: { path: '^src/', pathNot: '^src/(worker|shared|sql|rules)/' },
    },
    {
      name: 'tools-are-clients',
      comment: 'commands of the operator talk to a port; of the control plane they know its configuration alone',
      severity: 'error',
      from: { path: '^src/tools/' },
      to: {
        path: '^src/',
        pathNot: '^src/(tools|shared|sql)/|^src/control/(config|config-store)/|^src/control/tls\\.ts$',
      },
    },
    {
      name: 'mysql2-is-not-on-the-query-path',
      severity: 'error',
      from: { path: '^src/worker/' },
      to: { path: 'node_modules/mysql2' },
    },
    {
      name: 'protocol-through-its-face',
      comment: 'outside protocol/ only index.ts is imported',
      severity: 'error',
      from: { path: '^(src|bench)/' },
      to: { path: '^protocol/', pathNot: '^protocol/index\\.ts$' },
    },
    {
      name: 'product-never-imports-tests',
      severity: 'error',
      from: { path: '^(src|protocol)/' },
      to: { path: '^(test|bench)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
