/**
 * Life of a client session after its login.
 *
 *   admitting: the login is right; what remains to be seen before its OK (does the schema exist?) is being found out
 *   ready:     between commands
 *   waiting:   a command is in hand and a connection for it is being found, opened or brought into the session's state
 *   uploading: a command too long to be held is being streamed to its server
 *   relaying:  the command has gone to a server, its answer is on its way
 *   infile:    the client's file for LOAD DATA LOCAL is on its way to the server
 *   discarding: the rest of a long command that has been answered already is on its way
 *   changing:  COM_CHANGE_USER: the other user is being asked for its password
 *   closed:    gone; final
 */
export type SessionPhase =
  | 'admitting'
  | 'ready'
  | 'waiting'
  | 'uploading'
  | 'relaying'
  | 'infile'
  | 'discarding'
  | 'changing'
  | 'closed'

export const NEXT_PHASE: Readonly<Record<SessionPhase, readonly SessionPhase[]>> = {
  admitting: ['ready', 'closed'],
  ready: ['changing', 'waiting', 'relaying', 'uploading', 'discarding', 'closed'],
  waiting: ['relaying', 'uploading', 'ready', 'closed'],
  uploading: ['relaying', 'closed'],
  relaying: ['ready', 'waiting', 'infile', 'closed'],
  infile: ['relaying', 'closed'],
  discarding: ['ready', 'closed'],
  changing: ['admitting', 'ready', 'closed'],
  closed: [],
}
