import { beforeAll, describe } from 'vitest'
import { ScriptClient } from '../integration/admin-tools/clients.js'
import { describeTools, makeToolSetting, type ToolSetting } from '../integration/admin-tools/setting.js'
import { ADMIN_CLIENTS, type Launch } from './run/clients.js'

/** The admin port and what tools send to it, from the drivers that the tools are made with. */
describe('the admin port', () => {
  let setting: ToolSetting
  let pymysql: Launch
  let go: Launch

  beforeAll(async () => {
    setting = await makeToolSetting()
    pymysql = await ADMIN_CLIENTS.pymysql()
    go = await ADMIN_CLIENTS.goSqlDriver()
  })

  const start = (name: string, { command, env }: Launch, more: Record<string, string> = {}) =>
    new ScriptClient(name, command, { PATH: process.env['PATH'] ?? '', ...env, ...more }, setting.login)
  const of = () => setting
  describeTools('PyMySQL', of, async () => start('PyMySQL', pymysql))
  describeTools('go-sql-driver in text', of, async () => start('go-sql-driver', go, { ADMIN_INTERPOLATE: '1' }))
  describeTools('go-sql-driver with prepared statements', of, async () => start('go-sql-driver', go))
})
