import { describe, expect, it } from 'vitest'
import type { ApiError } from '../../../../src/control/http/api-error.js'
import { Authorization, type Credentials } from '../../../../src/control/http/authorization.js'

const TOKEN = 'a-token-of-twenty-two-c'

/** `200`, or status and code. */
function outcome(authorization: Authorization, more: Partial<Credentials>, nowMs = 0): string {
  const credentials = { method: 'GET', address: '127.0.0.1', authorization: undefined, host: '127.0.0.1:6071', ...more }
  try {
    authorization.check(credentials, nowMs)
    return '200'
  } catch (error) {
    const { status, code } = error as ApiError
    return `${status} ${code}`
  }
}

describe('without a token', () => {
  it.each<[Partial<Credentials>, string]>([
    [{}, '200'],
    [{ method: 'HEAD', host: 'localhost' }, '200'],
    [{ address: '::1', host: '[::1]:6071' }, '200'],
    [{ method: 'POST' }, '403 token-required'],
    [{ method: 'DELETE' }, '403 token-required'],
    [{ address: '10.0.0.9' }, '403 token-required'],
    [{ host: 'evil.example:6071' }, '403 host-not-local'],
    [{ host: '127.0.0.1.evil.example' }, '403 host-not-local'],
    [{ host: undefined }, '403 host-not-local'],
    [{ authorization: 'Bearer whatever-it-may-be', method: 'POST' }, '403 token-required'],
  ])('%j gives %s', (credentials, expected) => {
    expect(outcome(new Authorization(null), credentials)).toBe(expected)
  })
})

describe('with a token', () => {
  it.each<[string | undefined, string]>([
    [`Bearer ${TOKEN}`, '200'],
    [`bearer  ${TOKEN} `, '200'],
    [undefined, '401 token-missing'],
    ['', '401 token-missing'],
    [TOKEN, '401 token-missing'],
    [`Basic ${TOKEN}`, '401 token-missing'],
    ['Bearer', '401 token-missing'],
    [`Bearer ${TOKEN}x`, '401 token-wrong'],
    [`Bearer ${TOKEN.slice(1)}`, '401 token-wrong'],
    [`Bearer ${TOKEN} ${TOKEN}`, '401 token-missing'],
  ])('%j gives %s', (authorization, expected) => {
    for (const method of ['GET', 'POST'])
      expect(outcome(new Authorization(TOKEN), { authorization, method, host: 'any.name' })).toBe(expected)
  })

  it('makes an address wait that guesses, longer each time, and no other', () => {
    const authorization = new Authorization(TOKEN)
    const wrong = { authorization: 'Bearer wrong-wrong-wrong-wrong', address: '10.0.0.9' }
    const right = { authorization: `Bearer ${TOKEN}`, address: '10.0.0.9' }
    for (let i = 0; i < 10; i++) expect(outcome(authorization, wrong)).toBe('401 token-wrong')
    expect(outcome(authorization, right, 999)).toBe('429 too-many-failures')
    expect(outcome(authorization, { ...right, address: '10.0.0.8' }, 999)).toBe('200')
    expect(outcome(authorization, wrong, 1000)).toBe('401 token-wrong')
    expect(outcome(authorization, right, 2999)).toBe('429 too-many-failures')
    expect(outcome(authorization, right, 3000)).toBe('200')
    expect(outcome(authorization, wrong, 3000)).toBe('401 token-wrong')
  })

  it('does not take a request without a token for a guess', () => {
    const authorization = new Authorization(TOKEN)
    for (let i = 0; i < 30; i++) outcome(authorization, {})
    expect(outcome(authorization, { authorization: `Bearer ${TOKEN}` })).toBe('200')
  })
})
