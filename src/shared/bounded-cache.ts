import { LRUCache } from 'lru-cache'

/**
 * A cache of up to `max` entries; the one that was used least recently makes room. An LRUCache that is given a `max` takes the
 * memory for all of them when it is made (44 bytes each and more): by "size", one for each entry, it takes what it holds.
 */
export function boundedCache<K extends {}, V extends {}>(
  max: number,
  more: Pick<LRUCache.OptionsBase<K, V, unknown>, 'ttl' | 'dispose'> = {},
): LRUCache<K, V> {
  return new LRUCache<K, V>({ maxSize: max, sizeCalculation: () => 1, ...more })
}
