import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { knowing, rangeInterfaceForTest, sha1, type RangeAnswer } from '../support/range-interface.ts'
import { stackForTest, startStack, type Stack } from '../support/stack.ts'
import { bodyOf, createUser, json, password, refusal } from '../support/user.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack.stop())

let names = 0
const register = (at: Stack, secret: string, username = `somebody-${names++}`) =>
  at.request('/v1/accounts', json({ username, password: secret }))

describe('a password for a new account', () => {
  it('is refused with the reason when it is common, a pattern, or made of the names at hand', async () => {
    const reasons = {
      passwordpassword: 'This password is one of the most common ones, which are guessed first.',
      aaaaaaaaaaaaaaa: 'This password repeats a few characters, or follows the digits, the alphabet or the keyboard.',
      'lovelace-auth.example.com': 'This password is little more than the username or the name of this service.',
    }
    for (const [secret, detail] of Object.entries(reasons)) {
      const answer = await register(stack, secret, 'ada lovelace')
      expect(answer.status).toBe(422)
      expect(await bodyOf(answer)).toMatchObject({ code: 'password_rejected', detail })
    }
  })

  it('may be short where that is configured, but not common', async () => {
    const lax = await stackForTest({ env: { PASSWORD_MIN_LENGTH: '8' } })
    expect(await refusal(await register(lax, 'Sunshine'))).toBe('422 password_rejected')
    expect(await refusal(await register(lax, 'kV9$pm2'))).toBe('422 password_rejected')
    expect((await register(lax, 'kV9$pm2!')).status).toBe(201)
  })
})

describe('a look-up of breached passwords', () => {
  const breached = 'hunter two hunter three'

  it('refuses one that is known, with the reason, and tells five digits of its digest and nothing else', async () => {
    const range = await rangeInterfaceForTest(knowing(breached))
    const asking = await stackForTest({ env: { BREACHED_PASSWORDS: range.url } })
    const answer = await register(asking, breached)
    expect(answer.status).toBe(422)
    expect(await bodyOf(answer)).toMatchObject({
      code: 'password_rejected',
      detail: 'This password is known from a breach of another service.',
    })
    expect(range.requests.map(({ method, url }) => [method, url])).toEqual([
      ['GET', `/range/${sha1(breached).slice(0, 5)}`],
    ])
    const { headers } = range.requests[0] ?? { headers: {} }
    expect(headers['add-padding']).toBe('true')
    expect(JSON.stringify(headers)).not.toContain(breached)
    expect(JSON.stringify(headers)).not.toContain(sha1(breached).slice(5))
    expect((await register(asking, password)).status).toBe(201)
    expect(asking.events.filter(({ event }) => event === 'password.lookup_failed')).toEqual([])
  })

  it('is made for a changed password as well, but not at a sign-in, nor for one that is refused anyway', async () => {
    const range = await rangeInterfaceForTest(knowing(breached))
    const asking = await stackForTest({ env: { BREACHED_PASSWORDS: range.url } })
    const user = await createUser(asking)
    const { access_token } = await user.login()
    await register(asking, 'passwordpassword')
    expect(range.requests).toHaveLength(1)
    const body = { current_password: password, new_password: breached }
    const answer = await asking.request('/v1/password', json(body, { Authorization: `Bearer ${access_token}` }))
    expect(await bodyOf(answer)).toMatchObject({ code: 'password_rejected', detail: expect.stringContaining('breach') })
    expect(range.requests).toHaveLength(2)
  })

  it('takes no padding for a password', async () => {
    const range = await rangeInterfaceForTest((_, response) => response.end(`${sha1(breached).slice(5)}:0\r\n`))
    const asking = await stackForTest({ env: { BREACHED_PASSWORDS: range.url } })
    expect((await register(asking, breached)).status).toBe(201)
  })

  const troubles: [string, string, RangeAnswer][] = [
    ['an error', 'status 503', (_, response) => response.writeHead(503).end(`${sha1(breached).slice(5)}:9`)],
    ['a redirect', 'status 302', (_, response) => response.writeHead(302, { Location: '/range/ABCDE' }).end()],
    ['a page', 'unreadable answer', (_, response) => response.end('<html>not what was asked for</html>')],
    ['nothing at all', 'unreadable answer', (_, response) => response.end()],
    ['no end', 'TimeoutError', (_, response) => void response.write(`${sha1(breached).slice(5)}:9\r\n`)],
    ['a closed connection', 'Error', (request) => request.socket.destroy()],
  ]
  it.each(troubles)('that gets %s refuses nobody, and the log says so', async (_, detail, answer) => {
    const range = await rangeInterfaceForTest(answer)
    const asking = await stackForTest({ env: { BREACHED_PASSWORDS: range.url } })
    const startedMs = performance.now()
    expect((await register(asking, breached)).status).toBe(201)
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    expect(asking.events.find(({ event }) => event === 'password.lookup_failed')).toMatchObject({
      level: 'warn',
      request_id: expect.any(String),
      detail,
    })
    expect(range.requests).toHaveLength(1)
    expect(asking.printed.join('\n')).not.toContain(sha1(breached).slice(0, 5))
  })
})
