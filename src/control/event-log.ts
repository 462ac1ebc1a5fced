import type { ServerId } from '../shared/snapshot.js'

/**
 * What an event is about. topology: a server's role or status; worker: a process of the data plane; config: what is loaded or
 * read again; admin: a command about the proxy itself; login: guessed passwords of the admin port; pin: a session that keeps
 * its connection for long.
 */
export const EVENT_KINDS = ['topology', 'worker', 'config', 'admin', 'login', 'pin'] as const
export type EventKind = (typeof EVENT_KINDS)[number]

export interface NewEvent {
  readonly kind: EventKind
  /** Empty: it is about no server. */
  readonly server?: ServerId
  readonly what: string
  readonly why: string
  /** Account and address, or a signal; empty: Sluice itself. */
  readonly who?: string
}

export interface ProxyEvent extends Required<NewEvent> {
  /** Counts up from 1. */
  readonly id: number
  /** Milliseconds since 1970. */
  readonly time: number
}

/** So many of each kind are kept, so that no kind pushes the others out. */
export const EVENTS_PER_KIND = 500
const TEXT_LENGTH_MAX = 500

/** What changed lately, when, and why. */
export class EventLog {
  private readonly byKind = new Map<EventKind, ProxyEvent[]>()
  private last = 0

  note({ kind, server = '', what, why, who = '' }: NewEvent, time = Date.now()): void {
    const list = this.byKind.get(kind) ?? []
    const cut = (text: string): string => text.slice(0, TEXT_LENGTH_MAX)
    list.push({ id: ++this.last, time, kind, server, what: cut(what), why: cut(why), who: cut(who) })
    if (list.length > EVENTS_PER_KIND) list.shift()
    this.byKind.set(kind, list)
  }

  /** Oldest first. */
  all(): readonly ProxyEvent[] {
    return [...this.byKind.values()].flat().sort((a, b) => a.id - b.id)
  }
}
