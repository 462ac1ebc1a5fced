import { type Analysis, Stop } from './analysis.js'
import { explainKind } from './explain.js'
import { Demand } from './function-effects.js'
import { K } from './keywords.js'
import { Effect, StatementKind } from './kinds.js'
import { skipDefinition } from './routine-body.js'
import { T } from './scanner.js'
import { isServersOwn } from './server-tables.js'
import { setKind } from './set-kinds.js'
import { showStatement } from './show.js'
import {
  beginStatement,
  commitStatement,
  releaseStatement,
  rollbackStatement,
  savepointStatement,
  startStatement,
} from './transactions.js'
import type { Classified } from './types.js'

/**
 * Reads one statement whose first keyword is the scanner's current token, up to its end, and returns its kind. What it
 * does besides goes into the analysis.
 */
type Reader = (analysis: Analysis, result: Classified) => number

const Kind = StatementKind
const { implicitCommit, leavesConnectionState } = Effect

/** By the number of the first keyword; a statement with another one is not understood. */
const READERS: (Reader | undefined)[] = []

/** Reads the statement whose first token is the scanner's current one. */
export function readStatement(analysis: Analysis, result: Classified): number {
  const reader = READERS[analysis.keyword()]
  if (reader !== undefined) return reader(analysis, result)
  return analysis.scanner.type === T.open ? parenthesised(analysis) : analysis.giveUp()
}

function on(words: readonly number[], reader: Reader): void {
  for (const word of words) READERS[word] = reader
}

/** A statement of one kind, whose expressions are scanned for effects. */
function scanned(kind: number, effects: number): Reader {
  return (analysis) => {
    analysis.effects |= effects
    analysis.scan(Stop.statement)
    return kind
  }
}

/** A statement of one kind, whose text says nothing else that matters. */
function skipped(kind: number, effects: number): Reader {
  return (analysis) => {
    analysis.effects |= effects
    analysis.skip()
    return kind
  }
}

function query(analysis: Analysis): number {
  if (isServersOwn(analysis.options.schema)) analysis.demandAtLeast(Demand.primary)
  analysis.scan(Stop.statement)
  return analysis.readKind(Kind.read)
}

/** `(SELECT ...) UNION ...`: what stands behind the parentheses must be a query. */
function parenthesised(analysis: Analysis): number {
  const scanner = analysis.scanner
  const { start } = scanner
  while (scanner.type === T.open) scanner.next()
  const word = analysis.keyword()
  const isQuery = word === K.select || word === K.table || word === K.values || word === K.with
  if (!isQuery) return analysis.giveUp()
  scanner.position = start
  return query(analysis)
}

/** Common table expressions, then the statement that decides the kind. */
function withStatement(analysis: Analysis, result: Classified): number {
  const scanner = analysis.scanner
  let afterExpression = false
  let last = 0
  for (;;) {
    const type = scanner.next()
    const word = analysis.keyword()
    if (analysis.atEnd()) return analysis.giveUp()
    if (type === T.open) {
      if (afterExpression) {
        scanner.unread()
        return query(analysis)
      }
      analysis.scan(Stop.close)
      if (analysis.atEnd()) return analysis.giveUp()
      // Behind the name there may be a list of columns; the expression stands behind AS.
      afterExpression = last === K.as
    } else {
      const misplaced = afterExpression && type === T.word && word !== K.cycle
      afterExpression = false
      if (word === K.select || word === K.values || word === K.table) return query(analysis)
      if (MODIFYING.has(word)) return readStatement(analysis, result)
      if (misplaced) return analysis.giveUp()
    }
    last = word
  }
}

const MODIFYING: ReadonlySet<number> = new Set([K.insert, K.replace, K.update, K.delete])

/** INSERT, REPLACE, CALL: the name behind them may have a parenthesis behind it that is no call. */
function named(kind: number, effects: number): Reader {
  return (analysis) => {
    analysis.effects |= effects
    let word = analysis.nextKeyword()
    while (BEFORE_TABLE.has(word)) word = analysis.nextKeyword()
    analysis.skipName()
    analysis.scanner.unread()
    analysis.scan(Stop.statement)
    return kind
  }
}

const BEFORE_TABLE: ReadonlySet<number> = new Set([K.low_priority, K.delayed, K.high_priority, K.ignore, K.into])

function useStatement(analysis: Analysis, result: Classified): number {
  const scanner = analysis.scanner
  const type = scanner.next()
  if (type !== T.word && type !== T.quoted) return analysis.giveUp()
  const from = type === T.quoted ? scanner.nameStart : scanner.start
  const to = type === T.quoted ? scanner.nameEnd : scanner.stop
  scanner.next()
  if (!analysis.atEnd()) return analysis.giveUp()
  result.schemaStart = from
  result.schemaEnd = to
  return Kind.use
}

/** ANALYZE TABLE, or MariaDB's ANALYZE of a statement, which executes it. */
function analyzeStatement(analysis: Analysis, result: Classified): number {
  const { start } = analysis.scanner
  const word = analysis.nextKeyword()
  const explains = word === K.format || word === K.select || word === K.with || word === K.values || MODIFYING.has(word)
  if (!explains && analysis.scanner.type !== T.open) return maintenance(analysis, result)
  analysis.scanner.position = start
  analysis.scanner.next()
  return explainKind(analysis, result, true, readStatement)
}

const maintenance = skipped(Kind.write, implicitCommit)

function createStatement(analysis: Analysis): number {
  let word = analysis.nextKeyword()
  if (word === K.or) {
    analysis.nextKeyword()
    word = analysis.nextKeyword()
  }
  const temporary = word === K.temporary
  if (temporary) word = analysis.nextKeyword()
  analysis.effects |= temporary ? Effect.temporaryTable : implicitCommit
  if (word === K.table) return createTable(analysis)
  skipDefinition(analysis)
  return Kind.ddl
}

/** A table may be filled by a query. Types with lengths look like calls, so calls are not told from them. */
function createTable(analysis: Analysis): number {
  const before = analysis.effects
  analysis.scan(Stop.statement)
  analysis.effects = before | (analysis.effects & ~(Effect.unknownFunction | Effect.nonDeterministic))
  return Kind.ddl
}

function alterStatement(analysis: Analysis): number {
  analysis.effects |= implicitCommit
  skipDefinition(analysis)
  return Kind.ddl
}

function dropStatement(analysis: Analysis, result: Classified): number {
  const word = analysis.nextKeyword()
  if (word === K.prepare) return deallocated(analysis, result)
  analysis.effects |= word === K.temporary ? Effect.temporaryTable : implicitCommit
  analysis.skip()
  return Kind.ddl
}

function deallocateStatement(analysis: Analysis, result: Classified): number {
  return analysis.nextKeyword() === K.prepare ? deallocated(analysis, result) : analysis.giveUp()
}

function deallocated(analysis: Analysis, result: Classified): number {
  analysis.scanner.next()
  if (!analysis.argument(result)) return analysis.giveUp()
  analysis.skip()
  return Kind.deallocate
}

function prepareStatement(analysis: Analysis, result: Classified): number {
  analysis.scanner.next()
  if (!analysis.argument(result)) return analysis.giveUp()
  return prepared(Kind.prepare)(analysis, result)
}

function executeStatement(analysis: Analysis, result: Classified): number {
  if (analysis.nextKeyword() !== K.immediate && !analysis.argument(result)) return analysis.giveUp()
  return prepared(Kind.execute)(analysis, result)
}

function prepared(kind: number): Reader {
  return scanned(kind, leavesConnectionState)
}

function lockStatement(analysis: Analysis): number {
  const word = analysis.nextKeyword()
  analysis.effects |= leavesConnectionState
  analysis.skip()
  if (word === K.instance) return Kind.admin
  if (word !== K.tables && word !== K.table) return Kind.unknown
  analysis.effects |= implicitCommit
  return Kind.lockTables
}

function unlockStatement(analysis: Analysis): number {
  const word = analysis.nextKeyword()
  analysis.skip()
  if (word === K.instance) return Kind.admin
  if (word !== K.tables && word !== K.table) return analysis.giveUp()
  analysis.effects |= implicitCommit
  return Kind.unlockTables
}

/** KILL [HARD | SOFT] [CONNECTION | QUERY [ID]] id; MariaDB also takes USER name. */
function killStatement(analysis: Analysis, result: Classified): number {
  let word = analysis.nextKeyword()
  if (word === K.hard || word === K.soft) word = analysis.nextKeyword()
  const kind = word === K.query ? Kind.killQuery : Kind.kill
  if (word === K.query || word === K.connection) word = analysis.nextKeyword()
  if (word === K.id) word = analysis.nextKeyword()
  if (analysis.scanner.type === T.number) analysis.argument(result)
  analysis.skip()
  return kind
}

/**
 * FLUSH; WITH READ LOCK and FOR EXPORT hold what UNLOCK TABLES releases. FLUSH STATUS sets the session's counters to 0, which are
 * those of its connection: whoever asks for it is about to look at them.
 */
function flushStatement(analysis: Analysis): number {
  const scanner = analysis.scanner
  while (!analysis.atEnd()) {
    const before = analysis.keyword()
    scanner.next()
    const word = analysis.keyword()
    if (word === K.lock || word === K.export) analysis.effects |= leavesConnectionState
    if (word === K.status && before !== K.global) analysis.effects |= Effect.setsSessionState
  }
  analysis.effects |= implicitCommit
  return Kind.admin
}

function loadStatement(analysis: Analysis): number {
  const what = analysis.nextKeyword()
  if (what === K.index) return orders(analysis)
  if (what !== K.data && what !== K.xml) return analysis.giveUp()
  let local = false
  let word: number = what
  while (!analysis.atEnd() && word !== K.infile) {
    word = analysis.nextKeyword()
    if (word === K.local) local = true
  }
  analysis.scan(Stop.statement)
  assignsItsVariables(analysis)
  return local ? Kind.loadDataLocal : Kind.loadData
}

const orders = skipped(Kind.admin, implicitCommit) as (analysis: Analysis) => number

/** GET DIAGNOSTICS, CALL with OUT parameters, and LOAD DATA's column list name the variables that they set. */
function assignsItsVariables(analysis: Analysis): void {
  if ((analysis.effects & Effect.readsUserVariable) !== 0) analysis.effects |= Effect.setsUserVariable
}

const scanCall = named(Kind.call, leavesConnectionState)

/** Which parameters are OUT is known to the server alone, and it does not say that it has set them (seen on 9.7 and 10.11). */
function callStatement(analysis: Analysis, result: Classified): number {
  const kind = scanCall(analysis, result)
  assignsItsVariables(analysis)
  return kind
}

function getDiagnostics(analysis: Analysis): number {
  analysis.effects |= Effect.readsDiagnostics
  analysis.scan(Stop.statement)
  assignsItsVariables(analysis)
  return Kind.diagnostics
}

/** SIGNAL takes the place of all diagnostics, and may run anywhere: where the variables are that it tells of. */
function signalStatement(analysis: Analysis): number {
  analysis.scan(Stop.statement)
  return (analysis.effects & Effect.readsUserVariable) === 0 ? Kind.diagnostics : Kind.primaryRead
}

/** MariaDB's SET STATEMENT a = 1 FOR statement, or any other SET. */
function setStatement(analysis: Analysis, result: Classified): number {
  const { scanner } = analysis
  if (analysis.nextKeyword() !== K.statement || analysis.options.flavor !== 'mariadb') return setKind(analysis)
  let depth = 0
  while (!analysis.atEnd()) {
    const isName = scanner.type === T.word || scanner.type === T.quoted
    const word = analysis.nextKeyword()
    if (scanner.type === T.open) {
      depth++
      if (isName) analysis.demandAtLeast(Demand.primary) // a function, whichever it is
    } else if (scanner.type === T.close) depth--
    else if (scanner.type === T.userVariable) analysis.effects |= Effect.readsUserVariable
    else if (scanner.type === T.systemVariable) analysis.effects |= Effect.readsSystemVariable
    else if (word === K.for && depth === 0) {
      result.perStatement = true
      scanner.next()
      return readStatement(analysis, result)
    }
  }
  return analysis.giveUp()
}

/** XA RECOVER only lists; the other forms open or end a transaction of the connection. */
function xaStatement(analysis: Analysis): number {
  if (analysis.nextKeyword() !== K.recover) analysis.effects |= leavesConnectionState
  analysis.skip()
  return Kind.xa
}

function doStatement(analysis: Analysis): number {
  analysis.scan(Stop.statement)
  return analysis.readKind(Kind.do)
}

on([K.select, K.table, K.values], query)
on([K.with], withStatement)
on([K.insert, K.replace], named(Kind.write, 0))
on([K.update, K.delete], scanned(Kind.write, 0))
on([K.explain, K.describe, K.desc], (analysis, result) => explainKind(analysis, result, false, readStatement))
on([K.analyze], analyzeStatement)
on([K.show], showStatement)
on([K.help, K.checksum], skipped(Kind.read, 0))
on([K.call], callStatement)
on([K.do], doStatement)
on([K.set], setStatement)
on([K.use], useStatement)
on([K.begin], beginStatement)
on([K.start], startStatement)
on([K.commit], commitStatement)
on([K.rollback], rollbackStatement)
on([K.savepoint], savepointStatement)
on([K.release], releaseStatement)
on([K.create], createStatement)
on([K.alter], alterStatement)
on([K.drop], dropStatement)
on([K.truncate, K.rename, K.grant, K.revoke], skipped(Kind.ddl, implicitCommit))
on([K.lock], lockStatement)
on([K.unlock], unlockStatement)
on([K.prepare], prepareStatement)
on([K.execute], executeStatement)
on([K.deallocate], deallocateStatement)
on([K.handler], scanned(Kind.handler, leavesConnectionState))
on([K.xa], xaStatement)
on([K.kill], killStatement)
on([K.flush], flushStatement)
on([K.reset, K.change, K.stop, K.install, K.uninstall, K.cache, K.import], orders)
on([K.purge, K.shutdown, K.restart, K.clone], skipped(Kind.admin, 0))
on([K.backup], skipped(Kind.admin, leavesConnectionState))
on([K.load], loadStatement)
on([K.optimize, K.repair, K.check], maintenance)
on([K.binlog], skipped(Kind.write, 0))
on([K.get], getDiagnostics)
on([K.signal], signalStatement)
on([K.resignal], skipped(Kind.diagnostics, 0))
