import { encodeQuery } from '../../../protocol/index.js'
import type { Flavor } from '../../shared/snapshot.js'
import { Effect, StatementKind } from '../../sql/index.js'
import type { Backend } from '../backend/backend.js'
import { runSetup } from '../backend/setup-exchange.js'
import type { CommandInHand } from '../session/command.js'
import { Pin, type SessionFacts } from '../session/session-facts.js'
import type { TopologyView } from './topology-view.js'

/*
 * A READ ONLY transaction runs on a replica. What commits it implicitly (another BEGIN, DDL, LOCK TABLES: MySQL manual,
 * "Statements That Cause an Implicit Commit") is no statement of it, and may write.
 */

/** Whether the command in hand ends a transaction on a replica and has to be executed elsewhere. */
export function leavesReplica(command: CommandInHand, facts: SessionFacts, view: TopologyView): boolean {
  if (facts.pins !== Pin.transaction || facts.pinned === null) return false
  return commitsFirst(command, view.flavor) && !view.isWriter(facts.pinned.target.hostgroup)
}

function commitsFirst({ kind, effects }: CommandInHand, flavor: Flavor): boolean {
  if (kind !== StatementKind.begin) return (effects & Effect.implicitCommit) !== 0
  // On MySQL a BEGIN that says nothing of it leaves the session READ ONLY (seen on 9.7).
  return flavor === 'mariadb' || (effects & Effect.readWriteTransaction) !== 0
}

/** Commits the transaction on its replica; the session is free to go. */
export async function endOnReplica(facts: SessionFacts): Promise<void> {
  const backend = facts.pinned as Backend
  backend.move('syncing')
  await runSetup(backend, encodeQuery('COMMIT', backend.capabilities))
  backend.move('idle')
  facts.leaveTransaction()
}
