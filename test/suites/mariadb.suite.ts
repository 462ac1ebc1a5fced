import { describeSuites } from './run/suites.js'

await describeSuites('mariadb')
