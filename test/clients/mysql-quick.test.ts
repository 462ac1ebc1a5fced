import { describeMatrix } from './run/matrix.js'

describeMatrix('mysql', { clients: ['mysql2', 'mysql', 'mysqldump'], quick: true })
