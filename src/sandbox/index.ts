/** Starts a real replicated cluster on this machine. Used by the demo, by `sluice sandbox` and by the tests. */
export {
  type DebianPackages,
  type DebianSource,
  debianObstacle,
  readOsRelease,
  unpackDebianPackages,
  unpackDebianSource,
} from './binaries/debian.js'
export { obtainServer } from './binaries/obtain.js'
export { libraryFolders, prefixCommand } from './binaries/prefix.js'
export { ENGINE_NAMES } from './binaries/version.js'
export { attachCluster, REPLICAS_MAX, startCluster } from './cluster/start.js'
export { SandboxError } from './errors.js'
export { withLock } from './lock.js'
export { cacheFolder, defaultSandboxFolder } from './paths.js'
export { progressPrinter } from './progress-printer.js'
export type * from './types.js'
