import { createPool, type Pool } from 'mysql2/promise'

/** What the demo's application does: a shop in which some customers order and many look. */
const READERS = 6
const WRITERS = 2
const READ_PAUSE_MS = 12
const WRITE_PAUSE_MS = 40
const CUSTOMERS = 200

export interface WorkloadCounters {
  reads: number
  writes: number
  errors: number
  /** Times that a session did not see what it had just written: has to stay 0. */
  staleReads: number
  lastError: string
}

export interface Workload {
  readonly counters: WorkloadCounters
  stop(): Promise<void>
}

/** Runs until stopped: mysql2 clients, as an application would use them, on the proxy's port. */
export async function startWorkload(options: { port: number; user: string; password: string }): Promise<Workload> {
  const connect = (connectionLimit: number): Pool =>
    createPool({ host: '127.0.0.1', ...options, database: 'demo', connectionLimit, waitForConnections: true })
  // Two parts of an application: a session that writes reads from the primary until a replica has what it wrote.
  const lookers = connect(READERS)
  const buyers = connect(WRITERS)
  await createTables(buyers)
  const counters: WorkloadCounters = { reads: 0, writes: 0, errors: 0, staleReads: 0, lastError: '' }
  const stopped = new AbortController()
  const clients = [
    ...Array.from({ length: READERS }, () =>
      repeat(stopped.signal, READ_PAUSE_MS, counters, () => look(lookers, counters)),
    ),
    ...Array.from({ length: WRITERS }, () =>
      repeat(stopped.signal, WRITE_PAUSE_MS, counters, () => order(buyers, counters)),
    ),
  ]
  return {
    counters,
    async stop() {
      stopped.abort()
      await Promise.all(clients)
      await Promise.all([lookers.end(), buyers.end()])
    },
  }
}

async function createTables(pool: Pool): Promise<void> {
  await pool.query('CREATE TABLE IF NOT EXISTS customers (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL)')
  await pool.query(
    'CREATE TABLE IF NOT EXISTS orders (id INT AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL, amount DECIMAL(8,2) NOT NULL, KEY (customer_id))',
  )
  const rows = Array.from({ length: CUSTOMERS }, (_, i) => [i + 1, `customer ${i + 1}`])
  await pool.query('REPLACE INTO customers (id, name) VALUES ?', [rows])
}

async function repeat(
  signal: AbortSignal,
  pauseMs: number,
  counters: WorkloadCounters,
  step: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await step()
    } catch (error) {
      counters.errors++
      counters.lastError = (error as Error).message
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())))
  }
}

async function look(pool: Pool, counters: WorkloadCounters): Promise<void> {
  const customer = 1 + Math.floor(Math.random() * CUSTOMERS)
  await pool.query(
    'SELECT c.name, COUNT(o.id) AS orders, SUM(o.amount) AS total FROM customers c LEFT JOIN orders o ON o.customer_id = c.id WHERE c.id = ? GROUP BY c.id',
    [customer],
  )
  counters.reads++
}

/** Writes, and reads what it wrote on the same connection: behind a naive splitter this fails now and then. */
async function order(pool: Pool, counters: WorkloadCounters): Promise<void> {
  const connection = await pool.getConnection()
  try {
    const customer = 1 + Math.floor(Math.random() * CUSTOMERS)
    const [result] = await connection.query('INSERT INTO orders (customer_id, amount) VALUES (?, ?)', [customer, 9.5])
    counters.writes++
    const { insertId } = result as { insertId: number }
    const [rows] = await connection.query('SELECT amount FROM orders WHERE id = ?', [insertId])
    counters.reads++
    if ((rows as unknown[]).length === 0) counters.staleReads++
  } finally {
    connection.release()
  }
}
