import * as ansible from './ansible.js'
import type { Ask } from './ask.js'
import { exporter, lookingAround, mistakes, status } from './observers.js'
import { orchestrator, proxysqlAdmin, puppet, readyset } from './operators.js'

export interface Tool {
  readonly name: string
  /** `schema`: one in which the account app has read rows. */
  use(ask: Ask, schema: string): Promise<void>
}

/** Those that are run with the account that only reads. */
export const STATISTICS_TOOLS: readonly Tool[] = [{ name: 'the Prometheus exporter', use: exporter }]

export const TOOLS: readonly Tool[] = [
  { name: 'Ansible: proxysql_backend_servers', use: ansible.backendServers },
  { name: 'Ansible: proxysql_mysql_users', use: ansible.mysqlUsers },
  { name: 'Ansible: proxysql_query_rules', use: ansible.queryRules },
  { name: 'Ansible: proxysql_query_rules_fast_routing', use: ansible.fastRouting },
  { name: 'Ansible: proxysql_replication_hostgroups', use: ansible.replicationHostgroups },
  { name: 'Ansible: proxysql_mysql_hostgroup_attributes', use: ansible.hostgroupAttributes },
  { name: 'Ansible: proxysql_global_variables', use: ansible.globalVariables },
  { name: 'Ansible: proxysql_scheduler', use: ansible.scheduler },
  { name: 'Ansible: proxysql_manage_config', use: ansible.manageConfig },
  { name: 'Ansible: proxysql_info', use: ansible.info },
  { name: 'orchestrator', use: orchestrator },
  { name: 'proxysql-admin', use: proxysqlAdmin },
  { name: 'Puppet', use: puppet },
  { name: "ReadySet's scheduler", use: readyset },
  ...STATISTICS_TOOLS,
  { name: 'proxysql-status', use: status },
  { name: 'who looks around', use: lookingAround },
  { name: 'who makes mistakes', use: mistakes },
]
