/** knex, a query builder, upon mysql2. */
import { attempt, cases, ENV, load, say, show } from './shared.mjs'

const knex = load('knex')
const connection = {
  host: ENV.host,
  port: Number(ENV.port),
  user: ENV.user,
  password: ENV.password,
  database: ENV.db,
  timezone: 'Z',
  charset: 'utf8mb4',
  dateStrings: true,
  supportBigNumbers: true,
  bigNumberStrings: true,
  multipleStatements: true,
}
const open = (more = {}, pool = { min: 1, max: 1 }) =>
  knex({ client: 'mysql2', connection: { ...connection, ...more }, pool })
const step = (name, work) => attempt(name, async () => show(await work()))

for (const [name, more] of Object.entries({
  'login-tcp': {},
  'login-socket': { socketPath: ENV.socket },
  'login-wrong-password': { password: 'wrong' },
  'login-unknown-schema': { database: 'no_such_schema' },
})) {
  const db = open(more)
  await step(name, () => db.raw('SELECT DATABASE() AS name'))
  await db.destroy()
}

const db = open()
for (const { kind, name, sql, params } of cases()) {
  // knex keeps question marks for itself.
  await step(name, async () => {
    const [rows, fields] = await db.raw(kind === 'text' ? sql.replaceAll('?', '\\?') : sql, params)
    say(
      name,
      (fields ?? []).map((field) => field && [field.name, field.columnType, field.columnLength, field.flags]),
    )
    return rows
  })
}

await step('select', () => db('items').select('id', 'name').where('id', '<', 4).orderBy('id'))
await step('insert', () => db('work').insert({ v: 'knex' }))
await step('insert-many', () => db('work').insert([{ v: 'a' }, { v: 'b' }]))
await step('batch-insert', () =>
  db.batchInsert(
    'work',
    Array.from({ length: 500 }, (_, n) => ({ v: `batch ${n}` })),
    100,
  ),
)
await step('read-back', () => db('work').count('* as n').where('v', 'like', 'batch%'))
await step('update', () => db('work').where({ v: 'knex' }).update({ v: 'knex 2' }))
await step('increment', () => db('items').where({ id: 1 }).increment('amount', 5))
await step('upsert', () => db('items').insert({ name: 'one', amount: 3 }).onConflict('name').merge())
await step('ignore', () => db('items').insert({ name: 'one', amount: 4 }).onConflict('name').ignore())
await step('delete', () => db('work').where('v', 'like', 'batch%').del())
await step('join', () =>
  db('items as i').leftJoin('child as c', 'c.item_id', 'i.id').select('i.name', 'c.id').orderBy('i.id'),
)
await step('pluck', () => db('items').pluck('name').orderBy('id'))
await step('first', () => db('items').first().where({ id: 2 }))
await step('exists', () => db.schema.hasTable('items'))
await step('has-column', () => db.schema.hasColumn('items', 'amount'))
await step('column-info', async () => Object.entries(await db('items').columnInfo()).sort())
await step('for-update', () => db.transaction((trx) => trx('items').where({ id: 1 }).forUpdate().first()))
await step('transaction-commit', () =>
  db.transaction(async (trx) => {
    await trx('work').insert({ v: 'in transaction' })
    return trx('work').where({ v: 'in transaction' }).count('* as n')
  }),
)
await step('transaction-rollback', () =>
  db.transaction(async (trx) => {
    await trx('work').insert({ v: 'rolled back' })
    throw new Error('own reason')
  }),
)
await step('transaction-gone', () => db('work').where({ v: 'rolled back' }).count('* as n'))
await step('transaction-nested', () =>
  db.transaction(async (trx) => {
    await trx('work').insert({ v: 'outer' })
    await trx
      .transaction(async (inner) => {
        await inner('work').insert({ v: 'inner' })
        throw new Error('inner only')
      })
      .catch(() => {})
    return trx('work').whereIn('v', ['outer', 'inner']).select('v')
  }),
)
await step('transaction-read-only', () => db.transaction((trx) => trx('items').count('* as n'), { readOnly: true }))
await step('transaction-read-only-write', () =>
  db.transaction((trx) => trx('work').insert({ v: 'no' }), { readOnly: true }),
)
await step('transaction-isolation', () =>
  db.transaction((trx) => trx.raw('SELECT @@transaction_isolation AS level'), { isolationLevel: 'read committed' }),
)
await step('stream', async () => {
  let rows = 0
  for await (const _ of db('numbers').select('*').stream()) rows++
  return rows
})
await step('schema', async () => {
  await db.schema.createTable('by_knex', (table) => {
    table.increments('id')
    table.string('name', 30).notNullable().unique()
    table.json('data')
    table.decimal('price', 8, 2)
    table.timestamps(true, true)
    table.enu('size', ['s', 'm'])
    table.binary('raw')
    table.integer('item_id').references('items.id')
  })
  await db.schema.alterTable('by_knex', (table) => table.dropUnique('name'))
  // The server lists them in no certain order.
  return Object.entries(await db('by_knex').columnInfo()).sort(([one], [other]) => one.localeCompare(other))
})
await step('schema-insert', () =>
  db('by_knex').insert({
    name: 'n',
    data: JSON.stringify({ a: 1 }),
    price: 1.5,
    size: 'm',
    raw: Buffer.from([0, 255]),
  }),
)
await step('schema-read', () => db('by_knex').select('name', 'data', 'price', 'size', 'raw'))
await step('schema-rename', () => db.schema.renameTable('by_knex', 'renamed'))
await step('schema-drop', () => db.schema.dropTable('renamed'))
await step('call', async () => (await db.raw('CALL several_sets()'))[0])
await step('multi', async () => (await db.raw("SELECT 1; SELECT 'two'"))[0])
await step('timeout', () => db.raw('SELECT SLEEP(3)').timeout(300, { cancel: true }))
await step('timeout-usable', () => db('items').count('* as n'))
await db.destroy()

const pool = open({}, { min: 0, max: 8 })
await step('pool', () => Promise.all(Array.from({ length: 60 }, (_, n) => pool.select(pool.raw('? + 1 AS n', [n])))))
await pool.destroy()
process.exit(0)
