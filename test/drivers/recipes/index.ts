import type { DriverSuite } from '../run/driver-suite.js'
import { aiomysql } from './aiomysql.js'
import { django } from './django.js'
import { goSqlDriver } from './go-sql-driver.js'
import { mysqlclient } from './mysqlclient.js'
import { peewee } from './peewee.js'
import { php } from './php.js'
import { pymysql } from './pymysql.js'
import { sqlalchemy } from './sqlalchemy.js'

/** In the order of their time: minutes first. */
export const SUITES: readonly DriverSuite[] = [
  mysqlclient,
  pymysql,
  aiomysql,
  goSqlDriver,
  peewee,
  php('pdo_mysql'),
  php('mysqli'),
  django,
  sqlalchemy('mysqldb'),
  sqlalchemy('pymysql'),
]
