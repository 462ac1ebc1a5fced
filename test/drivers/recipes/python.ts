import { join } from 'node:path'
import { debian, type Launch, pythonOf } from '../../clients/run/languages.js'
import { fetchPackages } from '../../clients/run/packages.js'

/** Python with what the suites import; what is under test comes from its own sources, but for mysqlclient, which is compiled. */
const PACKAGES = [
  'python3',
  'python3-asgiref',
  'python3-cryptography',
  'python3-greenlet',
  'python3-mysqldb',
  'python3-pytest',
  'python3-sqlparse',
  'python3-tz',
  'python3-uvloop',
  'python3-yaml',
  'tzdata',
]

/** Warnings of newer servers or of newer Pythons are no failures; no option files of the machine; whole messages. */
const PYTEST = ['-m', 'pytest', '-q', '-rA', '--tb=short', '--continue-on-collection-errors', '-p', 'no:cacheprovider']
const COLUMNS = '500'

/** @param sources folders that come before the packages */
export async function pythonWith(sources: readonly string[]): Promise<Launch> {
  const prefix = await fetchPackages('python-tests', debian(...PACKAGES))
  const { command, env } = pythonOf(prefix)
  return {
    command,
    env: {
      ...env,
      PYTHONPATH: [...sources, env['PYTHONPATH']].join(':'),
      PYTHONTZPATH: join(prefix, 'usr/share/zoneinfo'),
      COLUMNS,
    },
  }
}

export function withPytest({ command, env }: Launch, ...args: readonly string[]): Launch {
  return { command: [...command, ...PYTEST, ...args], env }
}

/** A folder of sources as Debian has them. */
export function fetchSource(name: string, suite?: string): Promise<string> {
  return fetchPackages(`source-${name}`, { kind: 'debian-source', name, ...(suite === undefined ? {} : { suite }) })
}
