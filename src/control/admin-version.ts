import { SLUICE_VERSION } from '../shared/version.js'

/**
 * What the admin port calls its version: that of ProxySQL's interface whose tables and commands it has, since tools choose
 * by its first number what they may use (Ansible's `community.proxysql`: `major >= 2`), and behind it Sluice's own.
 */
export const ADMIN_VERSION = `2.7.0-sluice-${SLUICE_VERSION}`
