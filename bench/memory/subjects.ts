/** What is measured in bytes of memory instead of queries per second. */
export const MEMORY_SUBJECTS = {
  memory: 'large result sets and a large INSERT: how much more memory the proxy takes meanwhile',
  idle: 'connections that do nothing: memory of the proxy for each',
} as const
export type MemorySubject = keyof typeof MEMORY_SUBJECTS

export const IDLE_CONNECTIONS = 5_000

export function isMemorySubject(name: string): name is MemorySubject {
  return Object.hasOwn(MEMORY_SUBJECTS, name)
}
