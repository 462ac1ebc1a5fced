import { describe, expect, it } from 'vitest'
import type { Flavor } from '../../../../src/shared/snapshot.js'
import { Watermark } from '../../../../src/worker/consistency/watermark.js'
import { type Candidate, findOnline } from '../../../../src/worker/routing/topology-view.js'
import { seededRandom } from '../fixture.js'
import { type Server, type Transaction, World } from './failover-world.js'

const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 2 ** 31)
const ROUNDS = 40
const STEPS = 3000

/** A session, and what it may not see less of. */
class Session {
  readonly mark = new Watermark()
  readonly #world: World
  readonly #written: { readonly index: number; readonly transaction: Transaction }[] = []
  /** The history that it read last, as it was then. */
  #seen: { readonly log: readonly Transaction[]; readonly length: number } = { log: [], length: 0 }

  constructor(world: World) {
    this.#world = world
  }

  write(): void {
    const world = this.#world
    const transaction = world.write()
    if (transaction === null) return
    this.#written.push({ index: world.viewPrimary!.log.length - 1, transaction })
    const gtid = world.below(5) === 0 ? '' : world.gtidOf(transaction)
    this.mark.wrote(world.now, gtid, world.options.flavor)
  }

  /** @returns from where it would read */
  choose(guarded: boolean): Candidate | null {
    const { view } = this.#world
    const replicas = view.online(1).filter((candidate) => this.#world.byCandidate(candidate).up)
    const fit = replicas.filter((candidate) => !guarded || this.mark.isMetBy(candidate))
    if (fit.length > 0) return this.#world.pick(fit)
    const primary = this.#world.viewPrimary
    return primary?.up === true ? findOnline(view, primary.id) : null
  }

  /** What a server lacks of that which the session wrote or saw, as far as the primary has it: the rest is lost. */
  missingOn(server: Server): string {
    const { primary } = this.#world
    for (const { index, transaction } of this.#written) {
      if (primary.has(index, transaction) && !server.has(index, transaction)) return `a write (${index})`
    }
    const { log, length } = this.#seen
    const kept = primary.sharedWith(log, length)
    return server.sharedWith(primary.log, kept) < kept ? `what was seen (${kept})` : ''
  }

  read(candidate: Candidate): void {
    const { now } = this.#world
    const { log } = this.#world.byCandidate(candidate)
    const { known } = candidate.target
    this.#seen = { log, length: log.length }
    if (candidate.entry.hostgroup === 0) this.mark.sawOnPrimary(now)
    else this.mark.sawOnReplica(known, known.incarnation, now, true)
  }
}

interface Outcome {
  readonly replicaReads: number
  readonly stale: readonly string[]
  readonly failovers: number
  readonly losses: number
}

function play(flavor: Flavor, logsUpdates: boolean, byLog: boolean, guarded: boolean): Outcome {
  const random = seededRandom(seed)
  const outcome = { replicaReads: 0, stale: [] as string[], failovers: 0, losses: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const world = new World({ flavor, logsUpdates, byLog, random })
    const sessions = Array.from({ length: 4 }, () => new Session(world))
    for (let i = 0; i < STEPS; i++) {
      world.step()
      const session = world.pick(sessions)
      const what = world.below(20)
      if (what < 1) session.write()
      else if (what < 2) world.write()
      else {
        const candidate = session.choose(guarded)
        if (candidate === null) continue
        const server = world.byCandidate(candidate)
        const missing = session.missingOn(server)
        if (missing !== '')
          outcome.stale.push(
            `round ${round}, step ${i}: ${server.name} (hostgroup ${candidate.entry.hostgroup}) lacks ${missing}`,
          )
        if (candidate.entry.hostgroup === 1) outcome.replicaReads++
        session.read(candidate)
      }
    }
    outcome.failovers += world.failovers
    outcome.losses += world.losses
  }
  return outcome
}

describe.each<[string, Flavor, boolean, boolean]>([
  ['MySQL', 'mysql', true, false],
  ['MySQL without GTIDs', 'mysql', true, true],
  ['MariaDB', 'mariadb', true, false],
  ['MariaDB without log_slave_updates', 'mariadb', false, false],
])(`sessions on %s through planned and unplanned failovers (seed ${seed})`, (_, flavor, logsUpdates, byLog) => {
  it('read all that they wrote and saw, unless it is lost', () => {
    const { stale, replicaReads, failovers, losses } = play(flavor, logsUpdates, byLog, true)

    expect(stale).toEqual([])
    expect(replicaReads).toBeGreaterThan(1000)
    expect(failovers).toBeGreaterThan(ROUNDS)
    expect(losses).toBeGreaterThan(10)
  })

  it('would read less without the guard, so the test means something', () => {
    expect(play(flavor, logsUpdates, byLog, false).stale.length).toBeGreaterThan(100)
  })
})
