import { describeDrivers } from './run/drivers.js'

describeDrivers('mysql')
