import { describeMatrix } from './run/matrix.js'

describeMatrix('mysql')
