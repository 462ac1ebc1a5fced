import { describe, expect, it } from 'vitest'
import { parseAgainst, parseTargets, readOptions } from '../../../bench/options.js'

describe('the command line of the bench', () => {
  it('measures point selects directly, through the control and through Sluice unless told otherwise', () => {
    const options = readOptions([], 'results')
    expect(options).toMatchObject({
      workloads: ['point-select'],
      targets: ['direct', 'raw', 'sluice'],
      rounds: 5,
      seconds: 5,
      rows: 10_000,
      workers: 1,
      rate: null,
      out: 'results',
    })
    expect(Number.isInteger(options.seed)).toBe(true)
  })

  it('takes several workloads and other proxies with their processes', () => {
    const options = readOptions(
      ['mixed', '--against', 'proxysql=127.0.0.1:6033', '--against-pid', 'proxysql=77', 'bulk', '--no-write'],
      'results',
    )
    expect(options.workloads).toEqual(['mixed', 'bulk'])
    expect(options.against).toEqual([{ name: 'proxysql', address: { host: '127.0.0.1', port: 6033 }, pids: [77] }])
    expect(options.out).toBeNull()
  })

  it('takes proxies that it starts itself', () => {
    expect(readOptions([], 'results').peers).toEqual([])
    expect(readOptions(['--against-router'], 'results').peers).toEqual(['router'])
    expect(readOptions(['--against-router', '--against-haproxy'], 'results').peers).toEqual(['haproxy', 'router'])
  })

  it('runs only sysbench when asked for that', () => {
    expect(readOptions(['--sysbench', 'oltp_read_write'], 'results').workloads).toEqual([])
  })

  it('keeps targets in a fixed order and refuses unknown ones by name', () => {
    expect(parseTargets('sluice,raw')).toEqual(['raw', 'sluice'])
    expect(parseTargets('')).toEqual([])
    expect(() => parseTargets('raw,haproxy')).toThrow(/unknown target haproxy.*--against/)
  })

  it('says what it expected of --against', () => {
    expect(() => parseAgainst(['proxysql'], [])).toThrow('--against: expected name=host:port, got proxysql')
    expect(() => parseAgainst(['p=127.0.0.1'], [])).toThrow('--against: expected host:port, got 127.0.0.1')
    expect(() => parseAgainst(['p=h:99999'], [])).toThrow('expected host:port')
    expect(() => parseAgainst([], ['p=1'])).toThrow('there is no --against p=')
    expect(() => parseAgainst(['p=h:1'], ['p=x'])).toThrow('x is no process id')
    expect(() => readOptions(['nothing'], 'results')).toThrow(/unknown workload nothing; known: point-select,.*idle/)
  })
})
