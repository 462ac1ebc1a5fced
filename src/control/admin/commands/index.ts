import type { AdminCommand } from './command.js'
import { CONFIG_COMMANDS } from './config-commands.js'
import { PROXY_COMMANDS } from './proxy-commands.js'
import { SESSION_COMMANDS } from './session-commands.js'
import { SHOW_COMMANDS } from './show.js'
import { SLUICE_COMMANDS } from './sluice.js'
import { TRUNCATE_COMMANDS } from './truncate.js'

export { findCommand } from './command.js'

/** All commands in the order in which they are tried. What none of them takes is a query for the engine. */
export const COMMANDS: readonly AdminCommand[] = [
  ...SHOW_COMMANDS,
  ...SLUICE_COMMANDS,
  ...SESSION_COMMANDS,
  ...TRUNCATE_COMMANDS,
  ...PROXY_COMMANDS,
  ...CONFIG_COMMANDS,
]

/** First words of everything that this port takes, for the error about anything else. */
export const EXPECTED_STATEMENT =
  'expected SELECT, WITH, VALUES, INSERT, REPLACE, UPDATE, DELETE, LOAD, SAVE, SHOW, DESCRIBE, USE or SET'
