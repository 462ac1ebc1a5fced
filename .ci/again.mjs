// Runs the files once more in which tests have failed: node .ci/again.mjs SUMMARY (see test/helpers/summary-reporter.ts)
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

/** More than so many files do not fail by accident. */
const FILES_MAX = 3

const path = process.argv[2]
const first = readSummary()
if (first === null || first.elsewhere || first.failedFiles.length === 0 || first.failedFiles.length > FILES_MAX) fail(first)

const files = first.failedFiles.map((file) => relative(process.cwd(), file))
console.log(`\nonce more, alone: ${files.join(', ')}\n`)
const { status } = spawnSync('npx', ['vitest', 'run', '--no-file-parallelism', ...files], {
  stdio: 'inherit',
  env: { ...process.env, SLUICE_TEST_SUMMARY: path },
})
const second = readSummary()
const total = { passed: first.passedInGoodFiles + (second?.passed ?? 0), failed: second?.failed ?? first.failed }
if (status !== 0 || total.failed > 0) fail(total)
console.log(`\n${first.failed} failed at first and passed when run again, in ${files.join(', ')}: see above`)
console.log(`${total.passed} passed, 0 failed`)

/** null: the tests were not reached. */
function readSummary() {
  const text = readFileSync(path, 'utf8')
  return text === '' ? null : JSON.parse(text)
}

/** @returns {never} */
function fail(counts) {
  if (counts !== null) console.log(`${counts.passed} passed, ${Math.max(1, counts.failed)} failed`)
  process.exit(1)
}
