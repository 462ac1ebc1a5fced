/** typeorm, an object-relational mapper, upon mysql2. */
import { attempt, ENV, load, say, show } from './shared.mjs'

load('reflect-metadata')
const { DataSource, EntitySchema, In } = load('typeorm')

const Author = new EntitySchema({
  name: 'Author',
  columns: {
    id: { type: Number, primary: true, generated: true },
    name: { type: String, length: 40, unique: true },
    rating: { type: 'decimal', precision: 5, scale: 2, nullable: true },
    born: { type: 'date', nullable: true },
    seen: { type: 'datetime', precision: 6, nullable: true },
    tags: { type: 'simple-json', nullable: true },
    photo: { type: 'blob', nullable: true },
    mood: { type: 'enum', enum: ['good', 'bad'], default: 'good' },
    version: { type: Number, version: true },
  },
  relations: { books: { type: 'one-to-many', target: 'Book', inverseSide: 'author', cascade: true } },
})
const Book = new EntitySchema({
  name: 'Book',
  columns: { id: { type: Number, primary: true, generated: 'uuid' }, title: { type: String } },
  relations: { author: { type: 'many-to-one', target: 'Author', joinColumn: true, onDelete: 'CASCADE' } },
})
const source = (more = {}) =>
  new DataSource({
    type: ENV.engine,
    driver: load('mysql2'),
    connectorPackage: 'mysql2',
    host: ENV.host,
    port: Number(ENV.port),
    username: ENV.user,
    password: ENV.password,
    database: ENV.db,
    entities: [Author, Book],
    timezone: 'Z',
    logging: false,
    poolSize: 2,
    extra: { connectionLimit: 1 },
    ...more,
  })
const step = (name, work) => attempt(name, async () => show(await work()))

await step('login-wrong-password', () => source({ password: 'wrong' }).initialize())
const db = await source().initialize()
await step('synchronize', () => db.synchronize())
await step('synchronize-again', () => db.synchronize())
const authors = db.getRepository(Author)
const values = {
  name: 'Ünal 😀',
  rating: '1.50',
  born: '1970-02-03',
  seen: new Date('2024-01-02T03:04:05.678Z'),
  tags: { a: [1, 'ü'] },
  photo: Buffer.from([0, 255]),
  mood: 'bad',
}
await step('save', () => authors.save(authors.create(values)))
await step('save-cascade', async () =>
  (await authors.save({ name: 'second', books: [{ title: 'A' }, { title: 'B' }] })).books.map(({ title }) => title),
)
await step('save-many', () => authors.save([{ name: 'b1' }, { name: 'b2' }, { name: 'b3' }]))
await step('insert', async () => (await authors.insert({ name: 'b4' })).identifiers)
await step('find', () => authors.find({ order: { id: 'ASC' } }))
await step('find-relations', async () =>
  (await authors.findOne({ where: { name: 'second' }, relations: { books: true } })).books
    .map(({ title }) => title)
    .sort(),
)
await step('find-in', () => authors.findAndCount({ where: { name: In(['b1', 'b3']) }, order: { id: 'DESC' }, take: 1 }))
await step('update', () => authors.update({ name: 'b1' }, { rating: 4 }))
await step('upsert', async () => (await authors.upsert({ name: 'b1', rating: 5 }, ['name'])).raw?.affectedRows)
await step('save-changed', async () => {
  const author = await authors.findOneBy({ name: 'b1' })
  author.rating = '6.00'
  return authors.save(author)
})
await step('duplicate', () => authors.insert({ name: 'b2' }))
await step('builder', () =>
  authors
    .createQueryBuilder('a')
    .select('a.name', 'name')
    .addSelect('COUNT(b.id)', 'n')
    .leftJoin('a.books', 'b')
    .groupBy('a.id')
    .orderBy('a.id')
    .getRawMany(),
)
await step('lock', () =>
  db.transaction((manager) => manager.findOne(Author, { where: { id: 1 }, lock: { mode: 'pessimistic_write' } })),
)
await step('commit', () =>
  db.transaction(async (manager) => {
    await manager.insert(Author, { name: 'committed' })
    return manager.count(Author)
  }),
)
await step('rollback', () =>
  db.transaction(async (manager) => {
    await manager.insert(Author, { name: 'rolled back' })
    throw new Error('own reason')
  }),
)
await step('rolled-back', () => authors.countBy({ name: 'rolled back' }))
await step('serializable', () =>
  db.transaction('SERIALIZABLE', (manager) => manager.query('SELECT @@transaction_isolation AS level')),
)
await step('stream', async () => {
  const rows = []
  for await (const row of await authors.createQueryBuilder('a').select('a.name', 'name').orderBy('a.id').stream())
    rows.push(row.name)
  return rows
})
await step('raw', () => db.query('SELECT * FROM all_types ORDER BY id'))
await step('raw-parameters', () => db.query('SELECT ? + ? AS total, ? AS word', [1, 2, 'ü😀']))
await step('delete', () => authors.delete({ name: In(['b1', 'b2']) }))
await step('clear-metadata', async () => {
  const runner = db.createQueryRunner()
  const table = await runner.getTable('author')
  await runner.release()
  // The server lists them in no certain order.
  return table.columns
    .map((column) => [column.name, column.type, column.length, column.isNullable, column.default])
    .sort(([one], [other]) => one.localeCompare(other))
})
await db.destroy()
say('end', 'reached')
process.exit(0)
