import { QUICK_CLIENTS } from './run/clients.js'
import { describeMatrix } from './run/matrix.js'

describeMatrix('mysql', { clients: QUICK_CLIENTS, quick: true })
