import type { Engine } from '../../../src/sandbox/index.js'

/** Tests that fail through Sluice for a reason, which docs/compatibility.md tells too. All that is given has to fit. */
export interface Known {
  readonly reason: string
  /** Names of suites. */
  readonly suite: RegExp
  readonly engine?: Engine
  /** Names of tests, whole. */
  readonly tests: readonly string[]
  /** What is said of the failure. */
  readonly message?: RegExp
}

export const KNOWN: readonly Known[] = [
  {
    reason: 'the id of the greeting is not the one that the process list shows',
    suite: /^pymysql$/,
    engine: 'mariadb',
    tests: ['pymysql/tests/test_issues.py::TestNewIssues::test_issue_36'],
    message: /^AssertionError: \d+ != \d+$/,
  },
  {
    reason: 'performance_schema.session_connect_attrs tells what the first client of the server connection has said',
    suite: /^go-sql-driver$/,
    tests: ['TestConnectionAttributes'],
  },
  {
    reason: 'the id of the greeting is not the one that the process list shows',
    suite: /^php-mysqli$/,
    tests: ['mysqli_no_reconnect', 'mysqli_pconn_kill'].map(phpt),
    message: /Processlist is borked|Cannot find thread id/,
  },
  {
    reason: 'CONNECTION_ID() may be another one after COM_CHANGE_USER, with which a persistent connection begins anew',
    suite: /^php-mysqli$/,
    tests: [phpt('bug73462')],
    message: /Expected '\d+' got '\d+'/,
  },
  {
    reason: "without TLS a client gets Sluice's RSA key, not the server's",
    suite: /^php-mysqli$/,
    tests: ['mysqli_pam_sha256_public_key_ini', 'mysqli_pam_sha256_public_key_option_invalid'].map(phpt),
  },
  {
    reason: 'one connection reads what another one has just written',
    suite: /^php-mysqli$/,
    tests: [phpt('mysqli_stmt_bind_result_bit')],
    message: /mysqli_stmt_fetch\(\) has failed/,
  },
]

function phpt(name: string): string {
  return `ext/mysqli/tests/${name}.phpt`
}
