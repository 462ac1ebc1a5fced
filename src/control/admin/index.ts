/** The admin port, as the rest of the control plane and its tests see it. */
export { type AdminOptions, startAdmin } from './server.js'
export { type AdminResult, type AdminSession, type CommandContext, type ExtraCommand, OK, rows } from './session.js'
