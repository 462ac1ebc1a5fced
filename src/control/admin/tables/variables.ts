import { formatListenAddress } from '../../config/addresses.js'
import type { ControlView } from '../../view.js'

/** Variables as they are in force: what was loaded, and what was learned or waits for a restart as it is now. */
export function runtimeVariables(view: ControlView): [name: string, value: string][] {
  const now = inForce(view)
  return variablesOf(view, 'runtime')
    .map(([name, value]): [string, string] => [name, now.get(name) ?? value])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Variables as SET has left them, loaded or not: what `SELECT @@name` shows, as on ProxySQL. */
export function memoryVariables(view: ControlView): [name: string, value: string][] {
  return variablesOf(view, 'memory')
}

function variablesOf({ store }: ControlView, layer: 'memory' | 'runtime'): [name: string, value: string][] {
  return store[layer]
    .table('global_variables')
    .all()
    .map((row) => store.secrets.mask('global_variables', row))
    .map((row) => [String(row['variable_name']), String(row['variable_value'])])
}

function inForce(view: ControlView): ReadonlyMap<string, string> {
  const { greeting, listen, workers } = view.snapshot()
  const { admin, metrics } = view.config
  return new Map([
    ['mysql-server_version', greeting.serverVersion],
    ['mysql-interfaces', listen.map(formatListenAddress).join(';')],
    ['mysql-threads', String(workers)],
    ['admin-mysql_ifaces', (admin?.listen ?? []).map(formatListenAddress).join(';')],
    ['admin-restapi_enabled', String(metrics !== null)],
  ])
}
