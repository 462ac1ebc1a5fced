import { loadConfig } from '../../control/config/config.js'
import { configuredTls } from '../../control/tls.js'

/**
 * Checks a configuration file as `sluice start` does before it starts anything: keys, values, references between sections,
 * certificates. Returns a line for people and the warnings; throws a UsageError that names the first mistake.
 */
export function validate(path: string, env: NodeJS.ProcessEnv): string {
  const config = loadConfig(path, env)
  configuredTls(config)
  const servers = new Set(config.servers.map(({ id }) => id)).size
  const summary = `${servers} server${servers === 1 ? '' : 's'}, ${config.users.length} user${config.users.length === 1 ? '' : 's'}`
  return [...config.warnings.map((text) => `warning: ${text}`), `${path} is valid: ${summary}`, ''].join('\n')
}
