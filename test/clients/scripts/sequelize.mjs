/** sequelize, an object-relational mapper, upon mysql2 or mariadb. */
import { attempt, ENV, load, say, show } from './shared.mjs'

const { DataTypes, Op, QueryTypes, Sequelize, Transaction } = load('sequelize')

const open = (dialect, more = {}) =>
  new Sequelize(ENV.db, ENV.user, ENV.password, {
    dialect,
    host: ENV.host,
    port: Number(ENV.port),
    logging: false,
    timezone: '+00:00',
    pool: { max: 1, min: 0 },
    dialectModule: load(dialect === 'mysql' ? 'mysql2' : 'mariadb'),
    dialectOptions: dialect === 'mariadb' ? { allowPublicKeyRetrieval: true } : {},
    define: { timestamps: false },
    ...more,
  })

for (const dialect of ['mysql', 'mariadb']) {
  const step = (name, work) => attempt(`${dialect}-${name}`, async () => show(plain(await work())))
  await step('login-wrong-password', () =>
    new Sequelize(ENV.db, ENV.user, 'wrong', { ...open(dialect).options }).authenticate(),
  )
  const db = open(dialect)
  await step('authenticate', () => db.authenticate())
  await step('version', () => db.databaseVersion())
  const Author = db.define('author', {
    name: { type: DataTypes.STRING(40), allowNull: false, unique: true },
    born: DataTypes.DATEONLY,
    rating: DataTypes.DECIMAL(5, 2),
    score: DataTypes.DOUBLE,
    active: { type: DataTypes.BOOLEAN, defaultValue: true },
    tags: DataTypes.JSON,
    photo: DataTypes.BLOB,
    seen: DataTypes.DATE(6),
    mood: DataTypes.ENUM('good', 'bad'),
    big: DataTypes.BIGINT.UNSIGNED,
    note: DataTypes.TEXT('medium'),
    code: DataTypes.UUID,
  })
  const Book = db.define('book', { title: DataTypes.STRING })
  Author.hasMany(Book, { onDelete: 'cascade' })
  Book.belongsTo(Author)
  await step('sync', async () => Object.keys((await db.sync({ force: true })).models))
  await step('describe', () => db.getQueryInterface().describeTable('authors'))
  await step('indexes', async () =>
    (await db.getQueryInterface().showIndex('authors')).map(({ name, unique }) => [name, unique]),
  )
  await step('tables', async () =>
    (await db.getQueryInterface().showAllTables()).map((table) => table.tableName ?? table).sort(),
  )
  const values = {
    name: 'Ünal 😀',
    born: '1970-02-03',
    rating: '12.34',
    score: 0.1,
    tags: { a: [1, null, 'ü'] },
    photo: Buffer.from([0, 255, 10]),
    seen: new Date('2024-01-02T03:04:05.678Z'),
    mood: 'good',
    big: '18446744073709551615',
    note: 'x'.repeat(1000),
    code: '123e4567-e89b-12d3-a456-426614174000',
  }
  await step('create', () => Author.create(values))
  await step('create-with', () =>
    Author.create({ name: 'Second', books: [{ title: 'A' }, { title: 'B' }] }, { include: Book }),
  )
  await step('bulk-create', () => Author.bulkCreate([{ name: 'b1' }, { name: 'b2' }, { name: 'b3' }]))
  await step('find-all', () => Author.findAll({ order: ['id'], include: { model: Book, separate: false } }))
  await step('find-where', () =>
    Author.findAll({ where: { name: { [Op.like]: 'b%' }, active: true }, order: [['name', 'DESC']], limit: 2 }),
  )
  await step('count', () => Author.findAndCountAll({ where: { id: { [Op.gt]: 1 } }, limit: 1, order: ['id'] }))
  await step('update', () => Author.update({ rating: 3 }, { where: { name: 'b1' } }))
  await step('update-same', () => Author.update({ rating: 3 }, { where: { name: 'b1' } }))
  await step('increment', () => Author.increment({ rating: 2 }, { where: { name: 'b1' } }))
  await step('upsert', () => Author.upsert({ name: 'b1', rating: 9 }))
  await step('find-or-create', () => Author.findOrCreate({ where: { name: 'new one' }, defaults: { rating: 1 } }))
  await step('reload', async () => (await Author.findOne({ where: { name: 'b1' } })).reload())
  await step('duplicate', () => Author.create({ name: 'b2' }))
  await step('not-null', () => db.query('INSERT INTO authors (name) VALUES (NULL)'))
  await step('foreign-key', () => Book.create({ title: 'orphan', authorId: 9999 }))
  await step('commit', () =>
    db.transaction(async (transaction) => {
      await Author.create({ name: 'committed' }, { transaction })
      return Author.count({ transaction })
    }),
  )
  await step('rollback', () =>
    db.transaction(async (transaction) => {
      await Author.create({ name: 'rolled back' }, { transaction })
      throw new Error('own reason')
    }),
  )
  await step('rolled-back', () => Author.count({ where: { name: 'rolled back' } }))
  await step('isolation', () =>
    db.transaction({ isolationLevel: Transaction.ISOLATION_LEVELS.READ_COMMITTED, readOnly: false }, (transaction) =>
      db.query('SELECT @@transaction_isolation AS level', { transaction, type: QueryTypes.SELECT }),
    ),
  )
  await step('lock', () =>
    db.transaction((transaction) =>
      Author.findOne({ where: { id: 1 }, attributes: ['id'], lock: transaction.LOCK.UPDATE, transaction }),
    ),
  )
  await step('raw', () => db.query('SELECT * FROM all_types ORDER BY id', { type: QueryTypes.SELECT }))
  await step('replacements', () =>
    db.query('SELECT :a AS a, :b AS b', { replacements: { a: 'x', b: 2 }, type: QueryTypes.SELECT }),
  )
  await step('bind', () =>
    db.query('SELECT $1 + $2 AS total, $3 AS word', { bind: [1, 2, 'ü😀'], type: QueryTypes.SELECT }),
  )
  await step('bind-insert', () =>
    db.query('INSERT INTO work (v) VALUES ($1)', { bind: ['bound'], type: QueryTypes.INSERT }),
  )
  await step('aggregate', () =>
    Author.findAll({
      attributes: ['active', [db.fn('COUNT', '*'), 'n'], [db.fn('MAX', db.col('rating')), 'top']],
      group: 'active',
      raw: true,
    }),
  )
  await step('destroy', () => Author.destroy({ where: { name: { [Op.like]: 'b%' } } }))
  await step('truncate', () => Book.truncate())
  await step('add-column', () =>
    db.getQueryInterface().addColumn('books', 'pages', { type: DataTypes.INTEGER, defaultValue: 3 }),
  )
  await step('add-index', () => db.getQueryInterface().addIndex('books', ['title'], { name: 'by_title' }))
  await step('call', () => db.query('CALL several_sets()'))
  await step('drop', () => db.drop())
  await db.close()
  const pool = open(dialect, { pool: { max: 6 } })
  await step('pool', async () =>
    (
      await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          pool.query('SELECT ? + 1 AS n', { replacements: [n], type: QueryTypes.SELECT }),
        ),
      )
    ).map(([row]) => row.n),
  )
  await pool.close()
}
say('end', 'reached')
process.exit(0)

/** Models carry much that says nothing of the server. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value?.get === 'function' && value.dataValues !== undefined) return plain(value.get({ plain: true }))
  if (value instanceof Map || value instanceof Sequelize) return String(value.constructor.name)
  return value
}
