import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DriverSuite } from '../run/driver-suite.js'
import { readUnittest } from '../run/results.js'
import { fetchSource, pythonWith } from './python.js'

const MINUTE_MS = 60_000

/** Those of its suites that ask most of a database. */
const LABELS = [
  'aggregation',
  'annotations',
  'backends',
  'bulk_create',
  'cache',
  'constraints',
  'custom_columns',
  'datatypes',
  'datetimes',
  'db_functions',
  'db_utils',
  'delete',
  'expressions',
  'expressions_window',
  'fixtures',
  'force_insert_update',
  'get_or_create',
  'indexes',
  'inspectdb',
  'introspection',
  'lookup',
  'migrations',
  'model_fields',
  'model_indexes',
  'multiple_database',
  'ordering',
  'queries',
  'raw_query',
  'schema',
  'select_for_update',
  'select_related',
  'test_runner',
  'test_utils',
  'timezones',
  'transaction_hooks',
  'transactions',
  'update',
  'xor_lookups',
]

function settings(port: number): string {
  const database = (name: string) =>
    `{"ENGINE": "django.db.backends.mysql", "HOST": "127.0.0.1", "PORT": ${port}, "USER": "root", "NAME": "${name}",` +
    ' "TEST": {"CHARSET": "utf8mb4"}}'
  return [
    `DATABASES = {"default": ${database('django')}, "other": ${database('django_other')}}`,
    'SECRET_KEY = "tests"',
    'PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]',
    'DEFAULT_AUTO_FIELD = "django.db.models.AutoField"',
    'USE_TZ = False',
    '',
  ].join('\n')
}

/** With mysqlclient; its own runner makes the databases that it needs. */
export const django: DriverSuite = {
  name: 'django',
  async prepare() {
    const source = await fetchSource('python-django', 'trixie')
    const python = await pythonWith([source])
    return {
      statements: ['CREATE DATABASE django', 'CREATE DATABASE django_other'],
      limitMs: 40 * MINUTE_MS,
      launch: ({ port, folder }) => {
        writeFileSync(join(folder, 'sluice_settings.py'), settings(port))
        const options = ['--settings=sluice_settings', '--noinput', '--parallel=1', '--verbosity=2']
        return {
          command: [...python.command, '-W', 'ignore', 'runtests.py', ...options, ...LABELS],
          env: { ...python.env, PYTHONPATH: [folder, python.env['PYTHONPATH']].join(':') },
          cwd: join(source, 'tests'),
        }
      },
      read: readUnittest,
    }
  },
}
