/**
 * Life of a client session after its login.
 *
 *   ready:     between commands
 *   waiting:   a command is in hand and a connection for it is being found, opened or brought into the session's state
 *   uploading: a command too long to be held is being streamed to its server
 *   relaying:  the command has gone to a server, its answer is on its way
 *   infile:    the client's file for LOAD DATA LOCAL is on its way to the server
 *   closed:    gone; final
 */
export type SessionPhase = 'ready' | 'waiting' | 'uploading' | 'relaying' | 'infile' | 'closed'

export const NEXT_PHASE: Readonly<Record<SessionPhase, readonly SessionPhase[]>> = {
  ready: ['waiting', 'relaying', 'uploading', 'closed'],
  waiting: ['relaying', 'uploading', 'ready', 'closed'],
  uploading: ['relaying', 'closed'],
  relaying: ['ready', 'waiting', 'infile', 'closed'],
  infile: ['relaying', 'closed'],
  closed: [],
}
