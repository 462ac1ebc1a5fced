import { describeMatrix } from './run/matrix.js'

describeMatrix('mariadb', { clients: ['mysql2', 'mariadb', 'mariadb-dump'], quick: true })
