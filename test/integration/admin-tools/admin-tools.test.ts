import { beforeAll } from 'vitest'
import { commandLineClient, mysql2Client } from './clients.js'
import { describeTools, makeToolSetting, type ToolSetting } from './setting.js'
import { STATISTICS_TOOLS } from './tools.js'

let setting: ToolSetting

beforeAll(async () => {
  setting = await makeToolSetting()
})

const of = () => setting
describeTools('the command line mysql', of, () => commandLineClient(setting.login))
describeTools('mysql2 in text', of, () => mysql2Client(setting.login, 'query'))
describeTools('mysql2 with prepared statements', of, () => mysql2Client(setting.login, 'execute'))
describeTools(
  'mysql2 as the account stats',
  of,
  () => mysql2Client({ ...setting.login, user: 'stats', password: 'stats' }, 'query'),
  STATISTICS_TOOLS,
)
